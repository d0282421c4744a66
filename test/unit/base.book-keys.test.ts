/** What a node's books call what they keep: no two things in one book by one name. */
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import * as tables from "../../src/base/book-keys.ts";

const source = join(import.meta.dirname, "../../src");

for (const [table, keys] of Object.entries(tables)) {
  test(`${table}: no name is another's, or begins it`, (t) => {
    const names: string[] = Object.values(keys);
    const wrong = names.flatMap((name, at) => {
      const met = names.filter((other, place) => place !== at && isTaken(name, other));
      return met.map((other) => `${name} and ${other}`);
    });
    t.strictSame(wrong, []);
    t.end();
  });
}

test("the letters of keys stand in the table alone", (t) => {
  const files = readdirSync(source, { recursive: true, encoding: "utf8" });
  const others = files.filter((file) => file.endsWith(".ts") && file !== "base/book-keys.ts");
  const wrong = others.flatMap((file) => {
    const lines = readFileSync(join(source, file), "utf8").split("\n");
    return lines.flatMap((line, at) => /["`][a-z]\/(["`]|\$\{)/.test(line) ? [`${file}:${at + 1}`] : []);
  });
  t.strictSame(wrong, []);
  t.end();
});

/** Who lists all that begins with a name must find nothing else. */
function isTaken(name: string, other: string): boolean {
  return name === other || (name.endsWith("/") && other.startsWith(name));
}
