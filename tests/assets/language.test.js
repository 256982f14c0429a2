// The page's sentences in another language, with values that come from people, models and Python.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { languageFor, pageLanguage, speak, t, told, toldClauses } from "../../assets/page/language.js";

const messages = {
  "Fill": "填充",
  "{count} masks": "{count} 个掩码",
  "step {step} of {steps}": "共 {steps} 步，第 {step} 步",
  "{what} is not a number": "{what} 不是数字",
  "the strategy {name} is unknown; did you mean {close}?": "未知策略 {name}；是不是 {close}？",
  "the strategy {name} is unknown{rest}": "未知策略 {name}{rest}",
};
beforeEach(() => speak({ code: "zh", name: "中文", messages }));

test("an English sentence is its own key, and what the table lacks stays English", () => {
  assert.equal(t("Fill"), "填充");
  assert.equal(t("step {step} of {steps}", { step: 3, steps: 12 }), "共 12 步，第 3 步");
  assert.equal(t("Keep {name}", { name: "A" }), "Keep A");
  assert.equal(told("Fill"), "填充");
  assert.equal(told("nothing like it"), "nothing like it");
  assert.equal(pageLanguage().code, "zh");
  speak(null);
  assert.equal(t("step {step} of {steps}", { step: 3, steps: 12 }), "step 3 of 12");
  assert.equal(told("12 masks"), "12 masks");
  assert.equal(pageLanguage().code, "en");
});

test("values are inserted as they are: no HTML, no placeholder, no entry of the table, no pattern of replace", () => {
  for (const value of ["<b>&lt;", "{steps}", "Fill", "$& $1 $$", "\\", "a\nb", "toString", ""]) {
    assert.equal(t("{count} masks", { count: value }), `${value} 个掩码`);
    assert.equal(told(`${value} is not a number`), `${value} 不是数字`);
    assert.equal(told(`step ${value} of {step}`), `共 {step} 步，第 ${value} 步`);
  }
  assert.equal(t("{toString} {count}", { count: 1 }), "{toString} 1");
  for (const name of ["toString", "__proto__", "constructor"]) assert.equal(told(name), name);
});

test("a sentence of Python is found by its words, the one with the most of them first", () => {
  assert.equal(told("the strategy 'a' is unknown; did you mean 'b'?"), "未知策略 'a'；是不是 'b'？");
  assert.equal(told("the strategy 'a' is unknown. Known: b, c"), "未知策略 'a'. Known: b, c");
  assert.equal(told("12 masks"), "12 个掩码");
  assert.equal(told("12 masks left"), "12 masks left", "from its beginning to its end");
  assert.equal(told("step of "), "step of ", "the words of a sentence do not overlap");
});

test("a translation says what may stand in the place of a value", () => {
  speak({
    code: "zh", name: "中文", messages: {
      "{count} masks": "{count:number} 个掩码", "three": "3", "field of a request": "请求字段", "model": "模型",
      "unknown {kind} {name}": "未知的{kind:known} {name}", "The run ended: {error}": "运行已结束：{error:told}",
      "made of ({kinds})": "由{kinds:list}组成", "rare words": "生僻词", ", ": "、", "{one}: {two}": "{one}：{two}", "; ": "；", ".": "。",
    },
  });
  assert.equal(told("12 masks"), "12 个掩码");
  assert.equal(told("three masks"), "3 个掩码");
  assert.equal(told("set the number of masks"), "set the number of masks");
  assert.equal(told("unknown field of a request 'sed'"), "未知的请求字段 'sed'");
  assert.equal(told("unknown thing 'sed'"), "unknown thing 'sed'");
  assert.equal(told("The run ended: unknown model 'x'"), "运行已结束：未知的模型 'x'");
  assert.equal(told("The run ended: too hot"), "运行已结束：too hot");
  assert.equal(told("made of (rare words, emoji)"), "由生僻词、emoji组成");
  assert.equal(told("no: words"), "no: words", "a sentence without words is for t alone");
  assert.equal(toldClauses("three masks; 12 masks."), "3 个掩码；12 个掩码。");
  assert.equal(told(`unknown ${" ".repeat(40)}${"x ".repeat(5000)}`).length > 0, true);
});

test("the address goes before what was chosen, that before the browser's languages, and those before English", () => {
  const offered = [{ code: "zh" }, { code: "pt-BR" }];
  const from = (search, chosen, ...wanted) => languageFor({ search, chosen, wanted, offered });
  assert.equal(from("?lang=zh", "en", "en"), "zh");
  assert.equal(from("?lang=EN", "zh", "zh"), "en");
  assert.equal(from("", "zh", "en-US"), "zh");
  assert.equal(from("", null, "fr", "zh-Hans-CN", "en"), "zh");
  assert.equal(from("", null, "pt-br"), "pt-BR");
  assert.equal(from("", null, "en-GB", "zh"), "en");
  assert.equal(from("?lang=__proto__", "toString", "de"), "en");
  assert.equal(from("", null), "en");
});
