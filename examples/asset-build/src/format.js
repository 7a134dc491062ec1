// Numbers, prices and dates as the shopper's language writes them.

const formats = new Map();

export function price(cents, currency, locale) {
  const key = `${locale}/${currency}`;
  if (!formats.has(key)) {
    formats.set(key, new Intl.NumberFormat(locale, { style: "currency", currency: currency }));
  }
  return formats.get(key).format(cents / 100);
}

export function plural(count, one, other) {
  return count === 1 ? one : other.replace("%d", String(count));
}

export function shortDate(timestamp, locale) {
  const options = { day: "numeric", month: "short", year: "numeric" };
  return new Intl.DateTimeFormat(locale, options).format(new Date(timestamp));
}

export function percent(share, locale) {
  return new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 }).format(share);
}

export function escapeHtml(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  let escaped = "";
  for (const character of text) {
    escaped += entities[character] || character;
  }
  return escaped;
}
