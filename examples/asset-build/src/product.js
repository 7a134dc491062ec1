// The product page: gallery, variants, and the button that fills the cart.

import { Cart, summary } from "./cart.js";
import { plural, price, shortDate } from "./format.js";
import { SearchIndex, resultList } from "./search.js";

export function availability(product, now) {
  if (product.stock > 0) {
    return plural(product.stock, "@@stock.one@@", "@@stock.many@@");
  }
  if (product.restock && product.restock > now) {
    return "@@stock.back@@ " + shortDate(product.restock, document.documentElement.lang);
  }
  return "@@stock.none@@";
}

export class Gallery {
  constructor(element, images) {
    this.element = element;
    this.images = images;
    this.position = 0;
    element.addEventListener("click", () => this.move(1));
    element.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -this.position, End: this.images.length - 1 - this.position };
    if (event.key in steps) {
      event.preventDefault();
      this.move(steps[event.key]);
    }
  }

  move(step) {
    this.position = (this.position + step + this.images.length) % this.images.length;
    const image = this.images[this.position];
    this.element.querySelector("img").src = image.url;
    this.element.querySelector("figcaption").textContent = image.caption;
  }
}

export function variantPicker(product, onPick) {
  const select = document.createElement("select");
  select.className = "product__variants";
  for (const variant of product.variants) {
    const option = document.createElement("option");
    option.value = variant.id;
    option.disabled = variant.stock === 0;
    option.textContent = variant.title + ", " + price(variant.cents, product.currency, document.documentElement.lang);
    select.append(option);
  }
  select.addEventListener("change", () => onPick(product.variants.find((each) => each.id === select.value)));
  return select;
}

export function start(product, catalogue) {
  const cart = new Cart(window.localStorage);
  const index = new SearchIndex();
  catalogue.forEach((each) => index.add(each));

  const page = document.querySelector("main");
  page.querySelector(".product__stock").textContent = availability(product, Date.now());
  page.querySelector(".product__buy").append(variantPicker(product, (variant) => cart.add(variant)));
  page.querySelector(".product__buy button").textContent = "@@cart.add@@";

  const search = document.querySelector(".search input");
  search.placeholder = "@@search.hint@@";
  search.addEventListener("input", () => {
    document.querySelector(".search__results").innerHTML = resultList(index.find(search.value));
  });

  const footer = document.querySelector(".cart__summary");
  cart.listeners.push((changed) => {
    footer.textContent = summary(changed, document.documentElement.lang, product.currency);
  });
  cart.changed();
  return new Gallery(page.querySelector("figure"), product.images);
}
