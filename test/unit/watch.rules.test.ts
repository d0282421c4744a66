/** The rules of what is not backed up, beside git's own judgement of the same files. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "tap";
import { type Random, seededRandom } from "../../src/base/random.ts";
import { type FolderRules, isIgnored, parseRules } from "../../src/watch/rules.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/watch.rules.test.ts`;

/** Whether it or a folder above it is ignored, asking from the top down as a walk does. */
function isOut(all: ReadonlyMap<string, FolderRules>, path: string, isFolder: boolean): boolean {
  const names = path.split("/");
  const chain: FolderRules[] = [];
  for (let depth = 0; depth < names.length; depth++) {
    const folder = names.slice(0, depth).join("/");
    const rules = all.get(folder);
    if (rules !== undefined) chain.push(rules);
    const here = names.slice(0, depth + 1).join("/");
    if (isIgnored(chain, here, { isFolder: isFolder || depth < names.length - 1 })) return true;
  }
  return false;
}

test("single rules", (t) => {
  const out = (rules: string, path: string, isFolder = false): boolean =>
    isOut(new Map([["", parseRules("", [rules])]]), path, isFolder);
  t.ok(out("*.o", "a/b/c.o"));
  t.notOk(out("*.o\n!keep.o", "a/keep.o"));
  t.ok(out("/build", "build") && !out("/build", "a/build"));
  t.ok(out("build/", "a/build", true) && !out("build/", "a/build"));
  t.ok(out("build/", "a/build/x/y"), "all that is below");
  t.ok(out("a/**/z", "a/z") && out("a/**/z", "a/b/c/z"));
  t.ok(out("**/logs", "x/y/logs") && out("logs/**", "logs/a") && !out("logs/**", "logs", true));
  t.ok(out("\\#x", "#x") && out("\\!x", "!x") && !out("# x", "# x"));
  t.ok(out("x\\ ", "x ") && !out("x ", "x ") && out("x ", "x"));
  t.ok(out("[a-c]?.[!x]", "b1.y") && !out("[a-c]?.[!x]", "b1.x"));
  t.ok(out("?.txt", Buffer.from("é.txt").toString("latin1")), "a character, not a byte");
  t.notOk(out("*.log", "a.log.d"));
  t.ok(out("a.c", "a.c") && !out("a.c", "abc"));
  const both = parseRules("", ["*.tmp", "!own.tmp"]);
  t.notOk(isIgnored([both], "own.tmp", { isFolder: false }), ".hiveignore has the last word");
  t.end();
});

const names = ["a", "b", "ab", "build", "x.o", "y.o", "z.txt", "#n", "sub"];

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

function patternBy(random: Random): string {
  const parts = ["a", "b", "*", "**", "x.o", "*.o", "build", "sub", "?", "[ab]", "[!a]*", "z.*"];
  const body = Array.from({ length: 1 + random.below(3) }, () => pick(random, parts)).join("/");
  const not = random.below(4) === 0 ? "!" : "";
  return `${not}${random.below(4) === 0 ? "/" : ""}${body}${random.below(4) === 0 ? "/" : ""}`;
}

test("as git judges, over random trees and rules", (t) => {
  const random = seededRandom(`rules ${seed}`);
  const root = mkdtempSync(join(tmpdir(), "hive-rules-"));
  t.teardown(() => rmSync(root, { recursive: true }));
  execFileSync("git", ["init", "-q", root]);
  for (let round = 0; round < 10; round++) {
    const tree = join(root, `r${round}`);
    const files = new Set<string>();
    for (let file = 0; file < 60; file++) {
      const depth = 1 + random.below(4);
      files.add(Array.from({ length: depth }, () => pick(random, names)).join("/"));
    }
    const isFree = (path: string): boolean => ![...files].some((one) => one.startsWith(`${path}/`));
    const plain = [...files].filter(isFree);
    const all = new Map<string, FolderRules>();
    for (const path of plain) {
      mkdirSync(dirname(join(tree, path)), { recursive: true });
      writeFileSync(join(tree, path), "");
    }
    for (const folder of new Set(["", ...plain.map((path) => dirname(path))])) {
      const at = folder === "." ? "" : folder;
      if (at !== "" && random.below(3) > 0) continue;
      const text = Array.from({ length: 1 + random.below(5) }, () => patternBy(random)).join("\n");
      writeFileSync(join(tree, at, ".gitignore"), `${text}\n`);
      all.set(at, parseRules(at, [text]));
    }
    const asked = plain.map((path) => `r${round}/${path}`).join("\n");
    let said = "";
    try {
      said = execFileSync("git", ["-C", root, "check-ignore", "--stdin"], { input: asked }).toString();
    } catch (error) {
      if ((error as { status?: number }).status !== 1) throw error;
    }
    const lines = said.split("\n").filter((line) => line !== "");
    const byGit = lines.map((line) => line.slice(2 + `${round}`.length));
    const ours = plain.filter((path) => isOut(all, path, false));
    t.strictSame(ours.sort(), byGit.sort(), `round ${round}; ${replay}`);
  }
  t.end();
});
