/**
 * Makes a fresh checkout ready: packages, then the native addon. It runs under whatever Node npm
 * found (20 or later) and does each part only when something changed since the last time.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync, lstatSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync,
} from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const stamp = join(root, "node_modules", ".hive-installed");
const compiled = join(root, "node_modules", ".cache", "compiled");

/**
 * The environment in which Node 24 and the tools of node_modules come first, and what was compiled
 * once is kept beside the packages: whoever may change it may change the code itself.
 */
export function environment() {
  const tools = join(root, "node_modules", ".bin");
  return {
    ...process.env,
    PATH: `${tools}:${process.env.PATH ?? ""}`,
    NODE_COMPILE_CACHE: compiled,
  };
}

/** The path of the Node that runs our code. */
export function node24() {
  return join(root, "node_modules", "node", "bin", "node");
}

export function prepare() {
  install();
  linkCommand();
  run(process.execPath, [join(root, "native", "build.mjs")], "building the native addon");
}

function install() {
  // A link leads to the packages of another checkout, which sees to them.
  if (lstatSync(join(root, "node_modules"), { throwIfNoEntry: false })?.isSymbolicLink()) return;
  const lock = readFileSync(join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const done = existsSync(stamp) && readFileSync(stamp, "utf8") === wanted && existsSync(node24());
  if (done) return;
  say("installing packages (one to three minutes the first time)");
  const npm = ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  run("npm", [...npm, "--loglevel=error"], "npm ci");
  writeFileSync(stamp, wanted);
}

/** So that `npx hive` runs this checkout. */
function linkCommand() {
  const link = join(root, "node_modules", ".bin", "hive");
  const target = join("..", "..", "scripts", "hive");
  if (existsSync(link) && readlinkSync(link) === target) return;
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

/**
 * Sees to it that these programs are there: `{ program: Debian package }`. Root on Debian gets them
 * installed; anybody else is told in one line which packages are missing.
 */
export function needPrograms(packages) {
  const missing = () => Object.entries(packages).filter(([program]) => !onPath(program));
  if (missing().length === 0) return;
  const names = () => missing().map(([, name]) => name);
  if (process.getuid?.() === 0 && onPath("apt-get")) {
    say(`installing ${names().join(", ")}`);
    const options = { env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
    spawnSync("apt-get", ["update", "-qq"], options);
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...names()], options);
  }
  if (missing().length === 0) return;
  say(`install these packages first: ${names().join(" ")}`);
  process.exit(1);
}

function onPath(program) {
  const directories = (process.env.PATH ?? "").split(delimiter);
  return directories.some((directory) => existsSync(join(directory, program)));
}

/** Runs a program with our terminal; ends this one with its exit code when it fails. */
export function run(program, args, what) {
  const result = spawnSync(program, args, { cwd: root, stdio: "inherit", env: environment() });
  if (result.status === 0) return;
  say(`${what} failed${result.error === undefined ? "" : `: ${result.error.message}`}`);
  process.exit(result.status ?? 1);
}

export function say(words) {
  process.stderr.write(`hive: ${words}\n`);
}
