/**
 * The runner of `npm test` on files of its own: what passes, fails, hangs, and dies without a
 * word.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type Test, test } from "tap";
import { root } from "../support/cli.ts";

interface Result {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly names: readonly string[];
  readonly skipped: readonly string[];
}

interface Runner {
  readonly longest: readonly string[];
  listFiles(path: string, ending: string): readonly string[];
  runFiles(files: readonly string[], options: {
    readonly crowded?: number; readonly alone?: number; readonly graceSeconds?: number;
    readonly secondsOf: (file: string) => number; readonly told: (result: Result) => void;
  }): Promise<readonly Result[]>;
}

const runner = await import(join(root, "scripts", "run-tests.mjs")) as Runner;

const files = {
  "right.test.mjs": 'console.log("ok 1 - one\\n    ok 1 - within\\nok 2 - two\\n1..2")',
  "wrong.test.mjs": 'console.log("ok 1 - one\\n    not ok 1 - within\\nnot ok 2 - two"); process.exit(1)',
  "silent.test.mjs": 'console.log("ok 1 - one"); process.exit(3)',
  "half.test.mjs": 'console.log("ok 1 - one"); process.exit(0)',
  "skips.test.mjs": 'console.log("ok 1 - one\\nok 2 - two # SKIP no network\\n1..2")',
  "empty.test.mjs": "",
};

test("what a file printed is counted, and no file passes without having said so", async (t) => {
  const [told, results] = await runAll(t, files, { seconds: 60 });
  t.strictSame(told.sort(), results.map(({ file }) => file).sort(), "each is told of");
  const of = (name: string) => {
    const found = results.find(({ file }) => file.endsWith(`/${name}.test.mjs`));
    return `${found?.passed} ${found?.failed} ${found?.names.join("; ")}`;
  };
  t.equal(of("right"), "2 0 ");
  t.match(of("wrong"), /^1 1 not ok 1 - within.*; not ok 2 - two/);
  t.equal(of("silent"), "1 1 it ended with 3 after 1 tests");
  t.equal(of("half"), "1 1 it ended with 0 after 1 tests", "no plan was printed");
  t.equal(of("skips"), "1 0 ");
  t.strictSame(results.flatMap(({ skipped }) => skipped), ["ok 2 - two # SKIP no network"]);
  t.equal(of("empty"), "0 1 it ended with 0 after 0 tests");
});

test("a file that hangs is ended", async (t) => {
  const hangs = { "hangs.test.mjs": "setInterval(() => {}, 1000)" };
  const [, [result]] = await runAll(t, hangs, { seconds: 1, graceSeconds: 0 });
  t.strictSame(result?.names, ["it ended with SIGKILL after 0 tests"]);
});

async function runAll(
  t: Test, texts: Readonly<Record<string, string>>,
  { seconds, graceSeconds }: { readonly seconds: number; readonly graceSeconds?: number },
): Promise<readonly [string[], readonly Result[]]> {
  const folder = mkdtempSync(join(tmpdir(), "hive-runner-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text);
  const paths = Object.keys(texts).map((name) => relative(root, join(folder, name)));
  const heard: string[] = [];
  const told = ({ file }: Result) => heard.push(file);
  const grace = graceSeconds === undefined ? {} : { graceSeconds };
  return [heard, await runner.runFiles(paths, { secondsOf: () => seconds, ...grace, told })];
}

test("every file of tests is found, once", (t) => {
  const found = runner.listFiles("test", ".test.ts");
  t.ok(found.includes("test/unit/scripts.run-tests.test.ts") && found.includes("test/tidy.test.ts"));
  t.equal(new Set(found).size, found.length);
  t.strictSame(runner.longest.filter((file) => !found.includes(file)), [], "none has another name");
  t.strictSame(runner.listFiles("test/tidy.test.ts", ".test.ts"), ["test/tidy.test.ts"]);
  t.end();
});
