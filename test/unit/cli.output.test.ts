/** What is printed of others' names stays on its line, and in its column. */
import { spawnSync } from "node:child_process";
import { test } from "tap";
import { table } from "../../src/cli/output.ts";
import { sharesText } from "../../src/cli/text/shares.ts";

const reversed = "\u202egnp.exe";

test("a cell of a table has one line, and nothing in it turns the others around", (t) => {
  t.equal(table(["name", "size"], [["x\ny", "1"]]), "name      size\nx\\u000ay  1");
  t.equal(table(["name", "size"], [[reversed, "1"]]), "name           size\n\\u202egnp.exe  1");
  t.end();
});

test("a folder of somebody else's is called so in one line, whatever its name", (t) => {
  const taken = {
    name: `${reversed}\nnothing is shared`, from: "ann", writes: false, isThroughGroup: false, stateOf: null,
    trouble: null,
  };
  const none = { given: [], inboxes: [], wards: [], renewing: null, withdrawals: [] };
  const text = sharesText({ ...none, taken: [taken] });
  t.equal(text.split("\n").length, 1);
  t.notMatch(text, reversed);
  t.end();
});

test("words to a person are one line each, and a fault shows the name as it is", (t) => {
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const { stderr } = spawnSync(process.execPath, [main, `${reversed}\nhive: done`], { encoding: "utf8" });
  t.match(stderr, /^hive: wrong usage: no command \\u202egnp\.exe\\u000ahive: done \(hive\)\nhive: hint/);
  t.end();
});
