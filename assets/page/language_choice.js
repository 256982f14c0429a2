// The choice of the page's language, and the words that stand in the page before its script runs.

import { h } from "./dom.js";
import { otherLanguages, pageLanguage, switchLanguage, t, told } from "./language.js";

const MOST_BUTTONS = 1; // more other languages than this are in a list

/**
 * Returns what chooses another language: a button with its name, or a list. `save` keeps the text and the runs first.
 * @param {{ code: string, name: string }[]} offered @param {() => void} save @returns {(HTMLButtonElement | HTMLSelectElement)[]}
 */
export function createLanguageButtons(offered, save) {
  const others = otherLanguages(offered);
  const go = (/** @type {string} */ code) => {
    save();
    switchLanguage(code);
  };
  if (others.length <= MOST_BUTTONS) {
    return others.map(({ code, name }) => h("button", { type: "button", lang: code, dataset: { part: "language" }, onclick: () => go(code) }, name));
  }
  const { code, name } = pageLanguage();
  const list = h("select", { "aria-label": t("Language"), dataset: { part: "language" }, onchange: () => go(list.value) },
    ...[{ code, name }, ...others].map((each) => h("option", { value: each.code, lang: each.code }, each.name)));
  return [list];
}

/** Puts the words of page.html and of Gradio's own parts into the page's language. @param {HTMLElement} root */
export function showLanguage(root) {
  const { code } = pageLanguage();
  root.lang = code;
  document.documentElement.lang = code;
  if (code === "en") return;
  for (const each of root.querySelectorAll("[data-sentence]")) each.textContent = told(each.textContent ?? "");
  for (const each of root.querySelectorAll("[aria-label]")) each.setAttribute("aria-label", told(each.getAttribute("aria-label") ?? ""));
  const figures = document.getElementById("figures");
  if (figures) return translateAlways(figures);
  const watcher = new MutationObserver(() => { // Gradio mounts it later on a busy machine
    const mounted = document.getElementById("figures");
    if (!mounted) return;
    watcher.disconnect();
    translateAlways(mounted);
  });
  watcher.observe(document.body, { childList: true, subtree: true });
}

/** Translates what Gradio writes into a part of the page, now and whenever it changes. @param {HTMLElement} figures */
function translateAlways(figures) {
  const translate = () => {
    const walker = document.createTreeWalker(figures, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) =>
      (node instanceof Element ? node.matches(".js-plotly-plot") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_SKIP : NodeFilter.FILTER_ACCEPT));
    while (walker.nextNode()) {
      const node = /** @type {Text} */ (walker.currentNode);
      const english = node.data.trim();
      const translated = english && told(english);
      if (translated !== english) node.data = node.data.replace(english, () => translated);
    }
  };
  new MutationObserver(translate).observe(figures, { childList: true, characterData: true, subtree: true });
  translate();
}
