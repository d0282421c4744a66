/** Text of others steers no terminal and no log, and says the same to a program as before. */
import { test } from "tap";
import { harmless, oneLine } from "../../src/base/harmless.ts";
import { lineLog } from "../../src/base/log.ts";

/** Each of them between two letters, as a name would have it. */
const steering = [
  "\0", "\u0007", "\u001b", "\r", "\u007f", "\u0085", "\u009b", "\u00ad", "\u061c", "\u200b", "\u200e", "\u200f",
  "\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\ufeff", "\ufffb", "\u{e0041}",
];

test("signs that steer a terminal, turn a line around or are not seen are shown", (t) => {
  for (const sign of steering) {
    const shown = harmless(`a${sign}b`);
    t.match(shown, /^a(\\u[0-9a-f]{4}){1,2}b$/);
    t.equal(JSON.parse(`"${shown}"`), `a${sign}b`, "it is that sign in JSON");
  }
  t.equal(harmless("\u001b[2J\u202egnp"), "\\u001b[2J\\u202egnp");
  t.equal(oneLine("new\nline\t"), "new\\u000aline\\u0009");
  const value = { path: `a${steering.join("")}\nb` };
  t.strictSame(JSON.parse(harmless(JSON.stringify(value))), value, "JSON means the same");
  t.end();
});

test("what is written so stays as it is, whatever the script", (t) => {
  for (const name of ["żółć", "日本", "שלום", "سلام", "می\u200cخواهم", "क्\u200dष", "👩\u200d💻", "❤\ufe0f", "a\n\tb"]) {
    t.equal(harmless(name), name);
  }
  t.end();
});

test("a value of a log neither ends its line nor steers who reads it", (t) => {
  const lines: string[] = [];
  const log = lineLog({ level: "info", write: (line) => lines.push(line) });
  const said = `done\n2026-01-01 error forged=yes${steering.join("")}`;
  for (const value of ["plain", said, "\u001b[2J", "\u202egnp", "a=b", "two words", "C:\\u001b", 'a"b', ""]) {
    log.info("event", { value });
    const line = lines.pop() ?? "";
    t.match(line, /^\S+ info event value=[^\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\ufeff]*\n$/u);
    const written = line.trimEnd().split("value=").slice(1).join("value=");
    t.equal(written.startsWith('"') ? JSON.parse(written) : written, value, "it is read as it was");
  }
  log.info("event", { count: 3, isThere: true, absent: undefined });
  t.match(lines.pop(), /info event count=3 isThere=true\n$/);
  t.end();
});
