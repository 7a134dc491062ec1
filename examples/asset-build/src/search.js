// Search within the catalogue: an index of words, and a ranking by how many of them match.

import { escapeHtml } from "./format.js";

const MINIMUM_LENGTH = 2;

export function words(text) {
  const found = [];
  let current = "";
  for (const character of text.toLocaleLowerCase() + " ") {
    if (character.toUpperCase() !== character.toLowerCase() || (character >= "0" && character <= "9")) {
      current += character;
    } else if (current.length >= MINIMUM_LENGTH) {
      found.push(current);
      current = "";
    } else {
      current = "";
    }
  }
  return found;
}

export class SearchIndex {
  constructor() {
    this.postings = new Map();
    this.products = new Map();
  }

  add(product) {
    this.products.set(product.id, product);
    for (const word of words(product.title + " " + product.description)) {
      for (let length = MINIMUM_LENGTH; length <= word.length; length += 1) {
        const prefix = word.slice(0, length);
        if (!this.postings.has(prefix)) {
          this.postings.set(prefix, new Set());
        }
        this.postings.get(prefix).add(product.id);
      }
    }
  }

  find(query, limit = 20) {
    const scores = new Map();
    for (const word of words(query)) {
      for (const id of this.postings.get(word) || []) {
        scores.set(id, (scores.get(id) || 0) + 1);
      }
    }
    const ranked = Array.from(scores.entries()).sort((a, b) => b[1] - a[1]);
    return ranked.slice(0, limit).map((entry) => this.products.get(entry[0]));
  }
}

export function resultList(products) {
  if (products.length === 0) {
    return `<p class="search__none">@@search.none@@</p>`;
  }
  const items = products.map((each) => `<li><a href="${each.url}">${escapeHtml(each.title)}</a></li>`);
  return "<ol class=\"search__list\">" + items.join("") + "</ol>";
}
