/**
 * SQLite as programs use it: one database with a write-ahead log, one with a rollback journal of
 * each kind in turn. A transaction is acknowledged when COMMIT has returned. After a kill the
 * database is whole, and says exactly what its last transaction has left: nothing more, and no
 * transaction less than was acknowledged.
 *
 * Run: sqlite.ts write FILE MODE | sqlite.ts check FILE LEAST
 */
import { closeSync, existsSync, mkdirSync, openSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { type Place, type Workload, checkProgram, numberOf, startProgram } from "./workload.ts";
import { textOf } from "./workload.ts";

const self = fileURLToPath(import.meta.url);
const rollbackModes = ["delete", "truncate", "persist"] as const;
/** Older transactions' rows are deleted, so that pages are freed and used again. */
const keptTransactions = 1500;
const rowBytesMax = 3000;

export function sqliteWorkload({ mount }: Place): Workload {
  const directory = join(mount, "sqlite");
  const promised = new Map<string, number>();
  let started = 0;
  return {
    name: "sqlite",
    async start() {
      const mode = rollbackModes[started++ % rollbackModes.length] as string;
      return [
        startProgram(self, ["write", join(directory, "wal.sqlite"), "wal"]),
        startProgram(self, ["write", join(directory, "rollback.sqlite"), mode]),
      ];
    },
    acknowledge(lines) {
      for (const line of lines) {
        const [name = "", number] = line.split(" ");
        promised.set(name, Math.max(promised.get(name) ?? 0, Number(number)));
      }
    },
    async check() {
      const wrong: string[] = [];
      for (const [name, least] of promised) {
        wrong.push(...(await checkProgram(self, ["check", join(directory, name), String(least)])));
      }
      return wrong;
    },
  };
}

function write(file: string, mode: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const database = new DatabaseSync(file);
  database.exec(`pragma busy_timeout = 10000; pragma journal_mode = ${mode}`);
  // The end of a transaction is the unlinking of its journal: only EXTRA makes that durable too.
  database.exec(`pragma synchronous = ${mode === "delete" ? "extra" : "full"}`);
  database.exec(`create table if not exists rows
    (number integer, place integer, words text, primary key (number, place));
    create index if not exists by_words on rows (words);
    create table if not exists last (number integer)`);
  for (let number = lastOf(database) + 1; ; number++) {
    transact(database, file, number);
    beAlive(dirname(file));
    writeSync(1, `${basename(file)} ${number}\n`);
  }
}

/**
 * SQLite calls a transaction committed when it cannot open the folder to sync it. A power cut would
 * have ended the program too; here it lives on, and must not say what nobody promised.
 */
function beAlive(folder: string): void {
  closeSync(openSync(folder, "r"));
}

function transact(database: DatabaseSync, file: string, number: number): void {
  database.exec("begin immediate");
  const insert = database.prepare("insert into rows values (?, ?, ?)");
  rowsOf(file, number).forEach((words, place) => insert.run(number, place, words));
  const oldest = number - keptTransactions;
  database.prepare("delete from rows where number <= ?").run(oldest);
  database.exec("delete from last");
  database.prepare("insert into last values (?)").run(number);
  database.exec("commit");
}

function rowsOf(file: string, number: number): readonly string[] {
  const name = `${basename(file)}/${number}`;
  const count = 1 + numberOf(name, 5);
  return Array.from({ length: count }, (_, place) => {
    const of = `${name}/${place}`;
    return textOf(of, 1 + numberOf(of, rowBytesMax));
  });
}

function lastOf(database: DatabaseSync): number {
  const row = database.prepare("select number from last").get();
  return row === undefined ? 0 : Number(row["number"]);
}

function check(file: string, least: number): readonly string[] {
  if (!existsSync(file)) return [`${basename(file)} is gone`];
  const database = new DatabaseSync(file);
  const verdict = database.prepare("pragma integrity_check").all();
  const words = verdict.map((row) => String(row["integrity_check"])).join(" ");
  if (words !== "ok") return [`${basename(file)}: ${words}`];
  const last = lastOf(database);
  const wrong = last < least ? [`${basename(file)}: ${last} of ${least} transactions`] : [];
  const select = database.prepare("select * from rows order by number, place");
  const found = select.all().map((row) => `${row["number"]} ${row["words"]}`);
  const first = Math.max(1, last - keptTransactions + 1);
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  const right = numbers.flatMap((number) => rowsOf(file, number).map((row) => `${number} ${row}`));
  const at = right.findIndex((row, index) => row !== found[index]);
  if (at >= 0 || found.length !== right.length) {
    wrong.push(`${basename(file)}: row ${at} of ${right.length}, ${found.length} there`);
  }
  database.close();
  return wrong;
}

if (process.argv[1] === self) {
  const [act, file = "", word = ""] = process.argv.slice(2);
  if (act === "write") write(file, word);
  else process.stdout.write(JSON.stringify(check(file, Number(word))));
}
