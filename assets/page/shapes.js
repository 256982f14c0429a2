// Builds SVG elements, as dom.js builds HTML elements.

/**
 * Returns an SVG element. Null and false attributes are left out.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag @param {Record<string, any>} attributes @param {...(Node | string | null)} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function svgShape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, String(value));
  }
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null)));
  return made;
}

/** Returns an icon that is drawn on 16 by 16 units. @param {string} path */
export const svgIcon = (path) =>
  svgShape("svg", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, svgShape("path", { d: path }));
