// The shopping cart: lines, totals, and what survives a reload.

import { price } from "./format.js";

const STORAGE_KEY = "storefront.cart";

export class Cart {
  constructor(storage, listeners = []) {
    this.storage = storage;
    this.listeners = listeners;
    this.lines = JSON.parse(storage.getItem(STORAGE_KEY) || "[]");
  }

  add(product, quantity = 1) {
    const line = this.lines.find((each) => each.id === product.id);
    if (line) {
      line.quantity += quantity;
    } else {
      this.lines.push({ id: product.id, title: product.title, cents: product.cents, quantity: quantity });
    }
    this.changed();
  }

  remove(id) {
    this.lines = this.lines.filter((each) => each.id !== id);
    this.changed();
  }

  setQuantity(id, quantity) {
    if (quantity <= 0) {
      this.remove(id);
      return;
    }
    for (const line of this.lines) {
      if (line.id === id) {
        line.quantity = Math.min(quantity, 99);
      }
    }
    this.changed();
  }

  get count() {
    return this.lines.reduce((sum, line) => sum + line.quantity, 0);
  }

  get cents() {
    return this.lines.reduce((sum, line) => sum + line.quantity * line.cents, 0);
  }

  shipping(rules) {
    const rule = rules.find((each) => this.cents >= each.from);
    return rule ? rule.cents : 0;
  }

  changed() {
    /* A full storage must not stop the shopper. */
    try {
      this.storage.setItem(STORAGE_KEY, JSON.stringify(this.lines));
    } catch (error) {
      console.warn("cart not kept", error);
    }
    for (const listener of this.listeners) {
      listener(this);
    }
  }
}

export function summary(cart, locale, currency) {
  if (cart.count === 0) {
    return "@@cart.empty@@";
  }
  return "@@cart.total@@ " + price(cart.cents, currency, locale);
}
