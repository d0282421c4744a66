/** What people run: tar, checksums, find, git, npm, SQLite. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { root, run } from "../../test/support/cli.ts";
import { type Work, must, perMinute, perSecond } from "./work.ts";

/** The folder where the sources of the programs' works lie, made by `prepareSources`. */
const sourcesName = "sources";

export const programWorks: readonly Work[] = [
  { metric: "untar", unit: "files/s", run: untar },
  { metric: "md5_cold", unit: "files/s", cold: true, run: (at) => overTree(at, "md5sum {} +") },
  { metric: "find_cold", unit: "runs/min", cold: true, run: (at) => inTree(at, "find", ["."]) },
  { metric: "du_cold", unit: "runs/min", cold: true, run: (at) => inTree(at, "du", ["-s", "."]) },
  { metric: "rm", unit: "runs/min", run: (at) => perMinute("rm", ["-r", join(at, "tree")]) },
  { metric: "gitclone", unit: "runs/min", run: gitClone },
  { metric: "gitstatus_cold", unit: "runs/min", cold: true, run: gitStatus },
  { metric: "npmci", unit: "runs/min", run: npmCi },
  { metric: "sqlite_delete", unit: "commits/s", run: (at) => sqlite(at, "delete", "full") },
  { metric: "sqlite_walfull", unit: "commits/s", run: (at) => sqlite(at, "wal", "full") },
  { metric: "sqlite_walnormal", unit: "commits/s", run: (at) => sqlite(at, "wal", "normal") },
  { metric: "sqlite_bulk", unit: "rows/s", run: sqliteBulk },
];

/** Our own sources and those of a few dependencies: small files, as in any project. */
export async function prepareSources(directory: string): Promise<void> {
  const sources = join(directory, sourcesName);
  mkdirSync(sources);
  const parts = ["src", "test", "node_modules/libp2p", "node_modules/helia", "node_modules/tap"];
  await must("tar", ["-cf", join(sources, "tree.tar"), "-C", root, ...parts]);
  const repository = join(sources, "repository");
  mkdirSync(repository);
  await must("tar", ["-xf", join(sources, "tree.tar"), "-C", repository]);
  const git = ["-c", "user.name=bench", "-c", "user.email=bench@example.org"];
  await must("git", ["init", "-q", "."], repository);
  await must("git", ["add", "-A", "-f", "."], repository);
  await must("git", [...git, "commit", "-qm", "all"], repository);
  const project = join(sources, "project");
  mkdirSync(project);
  const dependencies = { level: "*", chokidar: "*", "lru-cache": "*", multiformats: "*" };
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "bench", dependencies }));
  // Filled once, so that every place reads the same packages from npm's own cache.
  await must("npm", ["install", "--prefer-offline", "--ignore-scripts", "--no-audit"], project);
}

function sourcesOf(directory: string): string {
  for (let at = join(directory, ".."); at !== join(at, ".."); at = join(at, "..")) {
    const sources = join(at, sourcesName);
    if (existsSync(sources)) return sources;
  }
  throw new Error(`no ${sourcesName} above ${directory}`);
}

async function untar(directory: string): Promise<number> {
  const archive = join(sourcesOf(directory), "tree.tar");
  const count = await countOf("tar", ["-tf", archive]);
  mkdirSync(join(directory, "tree"));
  const words = ["-xf", archive, "-C", join(directory, "tree")];
  return (await perMinute("tar", words)) / 60 * count;
}

async function overTree(directory: string, act: string): Promise<number> {
  const tree = join(directory, "tree");
  const start = performance.now();
  const count = await countOf("sh", ["-c", `find '${tree}' -type f -exec ${act}`]);
  return (count * 1000) / (performance.now() - start);
}

function inTree(directory: string, program: string, words: readonly string[]): Promise<number> {
  return perMinute(program, words, join(directory, "tree"));
}

async function countOf(program: string, words: readonly string[]): Promise<number> {
  const ran = await run(program, words, {});
  if (ran.code !== 0) throw new Error(`${program} ended with ${ran.code}: ${ran.error}`);
  return ran.out.split("\n").length - 1;
}

/** Over the protocol: a local clone would make hard links, which not all of them have. */
function gitClone(directory: string): Promise<number> {
  const from = `file://${join(sourcesOf(directory), "repository")}`;
  return perMinute("git", ["clone", "-q", from, join(directory, "clone")]);
}

function gitStatus(directory: string): Promise<number> {
  return perMinute("git", ["status", "--short"], join(directory, "clone"));
}

async function npmCi(directory: string): Promise<number> {
  const project = join(directory, "project");
  mkdirSync(project);
  const from = join(sourcesOf(directory), "project");
  for (const name of ["package.json", "package-lock.json"]) {
    await must("cp", [join(from, name), project]);
  }
  return perMinute("npm", ["ci", "--offline", "--ignore-scripts", "--no-audit"], project);
}

async function sqlite(
  directory: string, journal: "delete" | "wal", synchronous: "full" | "normal",
): Promise<number> {
  const commits = 100;
  return withDatabase(directory, (database) => {
    database.exec(`pragma journal_mode=${journal}; pragma synchronous=${synchronous}`);
    const insert = database.prepare("insert into rows (words) values (?)");
    return perSecond(commits, () => {
      for (let n = 0; n < commits; n++) insert.run(`row number ${n}`);
    });
  });
}

async function sqliteBulk(directory: string): Promise<number> {
  const rows = 100_000;
  return withDatabase(directory, (database) => {
    const insert = database.prepare("insert into rows (words) values (?)");
    return perSecond(rows, () => {
      database.exec("begin");
      for (let n = 0; n < rows; n++) insert.run(`row number ${n}`);
      database.exec("commit");
    });
  });
}

function withDatabase(directory: string, act: (database: DatabaseSync) => number): number {
  const database = new DatabaseSync(join(directory, "rows.sqlite"));
  try {
    database.exec("create table rows (id integer primary key, words text)");
    return act(database);
  } finally {
    database.close();
    for (const name of readdirSync(directory)) {
      if (name.startsWith("rows.sqlite")) rmSync(join(directory, name));
    }
  }
}
