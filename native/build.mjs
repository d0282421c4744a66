/* Builds the native addons: every folder beside this file that has an addon.c becomes
 * native/build/<folder>.node. Plain JavaScript, so that it runs on any Node before anything else
 * does; it never downloads headers and needs no python. See README.md here for the reasons.
 *
 *   node native/build.mjs           build what is not current
 *   node native/build.mjs --wasm    rebuild src/erasure/gf256.wasm (needs clang and lld)
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const outFolder = join(here, "build");
const compiler = process.env.CC || "cc";

/** C sources and headers of a folder, in one order everywhere. */
function sourcesOf(folder) {
  return readdirSync(join(here, folder)).filter((name) => /\.[ch]$/.test(name)).sort();
}

/** Beside the folders lie the headers that any of them may include. */
function commonHeaders() {
  return readdirSync(here).filter((name) => name.endsWith(".h")).sort();
}

/** One hash over these files and whatever else decides the result. */
function hashFiles(folder, names, ...more) {
  const hash = createHash("sha256");
  for (const name of names) {
    hash.update(`${name}\0`).update(readFileSync(join(here, folder, name))).update("\0");
  }
  return hash.update(JSON.stringify(more)).digest("hex");
}

/** A folder may name its platforms in a file `platforms`, such as `linux`; without it, all. */
function runsHere(folder) {
  const file = join(here, folder, "platforms");
  return !existsSync(file) || readFileSync(file, "utf8").split(/\s+/).includes(process.platform);
}

function addonFolders() {
  return readdirSync(here).filter((name) => existsSync(join(here, name, "addon.c"))).sort();
}

/** Where node-api-headers lies: beside us, or hoisted when Hive itself is a dependency. */
function headersFolder() {
  const at = createRequire(import.meta.url).resolve("node-api-headers/package.json");
  return join(dirname(at), "include");
}

/** A compiler without the C library's headers is as good as none. */
function compilerWorks() {
  const probe = spawnSync(compiler, ["-E", "-"], { input: "#include <stdlib.h>\n" });
  return probe.status === 0;
}

function canInstall() {
  return process.platform === "linux" && process.getuid?.() === 0 && !process.env.CC &&
    existsSync("/etc/debian_version") && spawnSync("apt-get", ["--version"]).status === 0;
}

function installCompiler() {
  console.log("native: installing gcc and libc6-dev with apt-get ...");
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-y", "-qq", "--no-install-recommends", "gcc", "libc6-dev"];
  if (spawnSync("apt-get", install, { env }).status === 0) return;
  spawnSync("apt-get", ["update", "-qq"], { env });
  spawnSync("apt-get", install, { env });
}

const advice = {
  darwin: "run `xcode-select --install`",
  linux: "install gcc and the C library's headers (apt install gcc libc6-dev, " +
    "dnf install gcc, apk add gcc musl-dev)",
};

function haveCompiler() {
  if (compilerWorks()) return true;
  if (canInstall()) installCompiler();
  if (compilerWorks()) return true;
  const hint = advice[process.platform] ?? "install a C compiler called cc";
  console.log(`native: no C compiler; for full speed ${hint}, then node native/build.mjs`);
  console.log("native: warning: the WebAssembly and fuse-native fallbacks will be used");
  return false;
}

function flagsFor(folder) {
  const flags = ["-O3", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra"];
  if (process.platform === "darwin") flags.push("-undefined", "dynamic_lookup");
  return [...flags, "-I", headersFolder(), "-I", join(here, folder)];
}

/** Write under a name of our own, then rename: two builds may race, a half file must not load. */
function publish(file, write) {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const result = write(temporary);
    if (existsSync(temporary)) renameSync(temporary, file);
    return result;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** A binary may be cut short, or come from a machine with another C library. */
function loads(file) {
  try {
    createRequire(import.meta.url)(file);
    return true;
  } catch {
    return false;
  }
}

/** Compiles one addon; false if its sources do not compile. */
function build(folder) {
  const target = join(outFolder, `${folder}.node`);
  const stampFile = join(outFolder, `${folder}.stamp`);
  const flags = flagsFor(folder);
  const sources = sourcesOf(folder);
  const common = hashFiles(".", commonHeaders());
  const stamp = hashFiles(folder, sources, common, compiler, flags, process.platform, process.arch);
  const stamped = existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (stamped && loads(target)) {
    console.log(`native: ${folder} is current`);
    return true;
  }
  const inputs = sources.filter((name) => name.endsWith(".c"))
    .map((name) => join(here, folder, name));
  const run = publish(target, (temporary) =>
    spawnSync(compiler, [...flags, "-o", temporary, ...inputs], { encoding: "utf8" }));
  if (run.status !== 0) {
    console.error(`native: ${folder} does not compile\n${run.stderr || run.error?.message}`);
    return false;
  }
  if (run.stderr) console.error(run.stderr.trimEnd());
  publish(stampFile, (temporary) => writeFileSync(temporary, stamp));
  console.log(`native: ${folder} built`);
  return true;
}

function buildAddons() {
  const folders = addonFolders();
  for (const folder of folders.filter((name) => !runsHere(name))) {
    console.log(`native: ${folder} is not for ${process.platform}`);
  }
  if (!haveCompiler()) return;
  mkdirSync(outFolder, { recursive: true });
  const built = folders.filter(runsHere).map(build);
  if (built.includes(false)) process.exitCode = 1;
}

const wasmFlags = [
  "--target=wasm32", "-msimd128", "-O3", "-nostdlib", "-ffreestanding", "-Wall", "-Wextra",
  "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=65536",
];

const wasmSources = ["gf256.c", "gf256.h", "pass.h", "wasm.c"];

/** The artifact is committed, with the hash of what it was made from beside it. */
export function wasmStamp() {
  return hashFiles("gf256", wasmSources, wasmFlags);
}

function buildWasm() {
  const target = join(here, "..", "src", "erasure", "gf256.wasm");
  const sources = wasmSources.filter((name) => name.endsWith(".c"))
    .map((name) => join(here, "gf256", name));
  const clang = process.env.CLANG || "clang";
  const run = publish(target, (temporary) =>
    spawnSync(clang, [...wasmFlags, "-o", temporary, ...sources], { encoding: "utf8" }));
  if (run.status !== 0) {
    console.error(`native: gf256.wasm does not compile\n${run.stderr || run.error?.message}`);
    process.exitCode = 1;
    return;
  }
  chmodSync(target, 0o644);
  const sha256 = createHash("sha256").update(readFileSync(target)).digest("hex");
  const record = JSON.stringify({ sourcesSha256: wasmStamp(), wasmSha256: sha256 }, null, 2);
  publish(`${target}.json`, (temporary) => writeFileSync(temporary, `${record}\n`));
  console.log("native: gf256.wasm built");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.includes("--wasm")) buildWasm();
  else buildAddons();
}
