/** native/build.mjs on small addons of its own, and that gf256.wasm is what the C makes today. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Test, test } from "tap";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

const addonSource = (value: number) => `
#include <node_api.h>
#include "value.h"
NAPI_MODULE_INIT() {
  napi_value number;
  napi_create_int32(env, value_of(${value}), &number);
  napi_set_named_property(env, exports, "value", number);
  return exports;
}
`;

test("gf256.wasm was made from the C that lies there now", async (t) => {
  const artifact = join(root, "src/erasure/gf256.wasm");
  const record: unknown = JSON.parse(readFileSync(`${artifact}.json`, "utf8"));
  const build: unknown = await import(join(root, "native/build.mjs"));
  t.strictSame(record, {
    sourcesSha256: (build as { readonly wasmStamp: () => string }).wasmStamp(),
    wasmSha256: createHash("sha256").update(readFileSync(artifact)).digest("hex"),
  }, "if not: node native/build.mjs --wasm");
});

test("every folder with an addon.c becomes a file that loads; other folders do not", (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "one", 1);
  makeAddon(folder, "two", 2);
  mkdirSync(join(folder, "native/notes"));
  const { status, stdout } = build(folder);
  t.equal(status, 0);
  t.equal(stdout, "native: one built\nnative: two built\n");
  t.equal(valueOf(folder, "two"), 2);
  t.strictSame(readdirSync(join(folder, "native/build")).sort(),
    ["one.node", "one.stamp", "two.node", "two.stamp"], "and no temporary file is left");
  t.end();
});

test("only what changed is built again, be it a header or the file itself", (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "one", 1);
  makeAddon(folder, "two", 2);
  build(folder);
  const before = statSync(join(folder, "native/build/one.node")).ino;
  t.equal(build(folder).stdout, "native: one is current\nnative: two is current\n");
  t.equal(statSync(join(folder, "native/build/one.node")).ino, before);
  writeFileSync(join(folder, "native/two/value.h"), "#define value_of(x) (x + 40)\n");
  t.equal(build(folder).stdout, "native: one is current\nnative: two built\n");
  t.equal(valueOf(folder, "two"), 42);
  writeFileSync(join(folder, "native/build/one.node"), "cut short");
  t.equal(build(folder).stdout, "native: one built\nnative: two is current\n");
  t.end();
});

test("a folder for another platform is passed over, and said so", (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "here", 1);
  makeAddon(folder, "there", 2);
  writeFileSync(join(folder, "native/here/platforms"), `plan9 ${process.platform}\n`);
  writeFileSync(join(folder, "native/there/platforms"), "plan9\n");
  const { status, stdout } = build(folder);
  t.equal(status, 0);
  t.equal(stdout, `native: there is not for ${process.platform}\nnative: here built\n`);
  t.notOk(existsSync(join(folder, "native/build/there.node")));
  t.end();
});

test("an addon that does not compile fails the build with the compiler's words", (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "bad", 1);
  makeAddon(folder, "good", 2);
  writeFileSync(join(folder, "native/bad/more.c"), "int broken( {\n");
  const { status, stdout, stderr } = build(folder);
  t.equal(status, 1);
  t.match(stderr, /native: bad does not compile\n[^]*more\.c:1/);
  t.equal(stdout, "native: good built\n", "the others are built nevertheless");
  t.notOk(existsSync(join(folder, "native/build/bad.node")));
  t.end();
});

test("without a compiler it says what to install, and that is no failure", (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "one", 1);
  const { status, stdout } = build(folder, { CC: join(folder, "no-such-compiler") });
  t.equal(status, 0);
  t.match(stdout, /no C compiler; for full speed .+, then node native\/build\.mjs\n/);
  t.match(stdout, /warning: the WebAssembly and fuse-native fallbacks will be used\n/);
  t.notOk(existsSync(join(folder, "native/build/one.node")));
  t.end();
});

test("builds that race leave whole files", async (t) => {
  const folder = makeTree(t);
  makeAddon(folder, "one", 1);
  const script = join(folder, "native/build.mjs");
  const builds = [1, 2, 3].map(() => spawn(process.execPath, [script], { stdio: "ignore" }));
  t.strictSame(await Promise.all(builds.map(exitCode)), [0, 0, 0]);
  t.equal(valueOf(folder, "one"), 1);
  t.equal(build(folder).stdout, "native: one is current\n");
  t.strictSame(readdirSync(join(folder, "native/build")).sort(), ["one.node", "one.stamp"]);
});

/** A tree with the real script and the real headers, but addons that compile in no time. */
function makeTree(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "hive-build-"));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "native"));
  copyFileSync(join(root, "native/build.mjs"), join(folder, "native/build.mjs"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function makeAddon(folder: string, name: string, value: number): void {
  mkdirSync(join(folder, "native", name));
  writeFileSync(join(folder, "native", name, "addon.c"), addonSource(value));
  writeFileSync(join(folder, "native", name, "value.h"), "#define value_of(x) (x)\n");
}

function build(folder: string, env: Readonly<Record<string, string>> = {}) {
  const script = join(folder, "native/build.mjs");
  const options = { encoding: "utf8", env: { ...process.env, ...env } } as const;
  return spawnSync(process.execPath, [script], options);
}

function valueOf(folder: string, name: string): unknown {
  const file = join(folder, "native/build", `${name}.node`);
  return (createRequire(import.meta.url)(file) as { readonly value: unknown }).value;
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once("exit", resolve);
  });
}
