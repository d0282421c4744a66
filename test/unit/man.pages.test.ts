/** The manual pages say what the code does: hive(1) is made from it, the others are compared. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "tap";
import { manualFile, mountOptions, renderManual } from "../../scripts/man.ts";
import { MiB } from "../../src/base/bytes.ts";
import { limits } from "../../src/base/limits.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { commands } from "../../src/cli/table/commands.ts";
import { commandHelp } from "../../src/cli/table/help.ts";
import { blockSizes } from "../../src/dag/sizes.ts";
import { parseMountOptions } from "../../src/mount/attaching/options.ts";

const root = resolve(fileURLToPath(import.meta.url), "../../..");
const pages = readdirSync(join(root, "man")).filter((name) => /\.\d$/.test(name));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

test("hive(1) is what the command table makes it; npm run man makes it anew", (t) => {
  t.equal(readFileSync(manualFile, "utf8"), renderManual(), "run: npm run man");
  t.end();
});

test("hive(1) and --help tell of the same options", (t) => {
  const manual = renderManual().replaceAll("\\-", "-");
  for (const command of commands) {
    const start = manual.indexOf(`.Ss hive ${command.name}\n`);
    const part = manual.slice(start).split(/\n\.S[sh] /)[0] as string;
    t.ok(start > 0, command.name);
    for (const { name, hidden } of command.options) {
      const told = [part.includes(`Fl -${name}`), commandHelp(command).includes(`--${name}`)];
      t.strictSame(told, [hidden !== true, hidden !== true], `${command.name} --${name}`);
    }
  }
  t.end();
});

test("hive(1) lists every mount option, and each is taken", (t) => {
  const told = mountOptions.flatMap(([words]) => words.split(", "));
  const values: Readonly<Record<string, string>> = { NAME: "hive", BYTES: "65536" };
  for (const word of told) {
    const [name, value] = word.replace("x-*", "x-systemd.automount").split("=");
    const given = name === "subtype" ? "subtype=hive" : name;
    const option = value === undefined ? given : `${name}=${values[value]}`;
    t.doesNotThrow(() => parseMountOptions(String(option)), word);
  }
  const names = told.map((word) => word.split("=")[0]);
  const known = namesIn(read("src/mount/attaching/options.ts"));
  t.ok(known.length >= 20, "the tables were found");
  t.strictSame(known.filter((name) => !names.includes(name)), []);
  t.end();
});

test("hive(7)'s table of classes is the one the code chooses from", (t) => {
  const rows = [...read("man/hive.7").matchAll(/^\.It (\w+) Ta (.*)$/gm)].map((row) => {
    const [k, n, r, overhead, households] = (row[2] as string).split(" Ta ").map(Number);
    return { name: row[1], k, n, r, overhead, households };
  });
  const known = erasureClasses.map(({ name, k, n, r }) => {
    return { name, k, n, r, overhead: n / k, households: n };
  });
  t.strictSame(rows, known);
  t.end();
});

test("hive(7)'s promises have the code's figures", (t) => {
  const text = read("man/hive.7").replaceAll("\n", " ");
  t.match(text, `the drive's own (${limits.tree.commitAfterMs / 1000} seconds)`);
  t.match(text, `made room for any of them for ${limits.cache.fullWaitMs / 1000} seconds`);
  t.equal(limits.tree.journaledShareMax, 1 / 4);
  t.match(text, "of which a quarter or less was written again");
  t.equal(limits.tree.sealAfterMs, 30_000);
  t.match(text, "for up to half a minute before it is sealed");
  t.match(text, `With ${limits.tree.lackingBytesMax / MiB} MiB of them`);
  const { uploadRestMs, uploadRestMsMax, uploadRestShareMax } = limits.cache;
  t.match(text, `for ${uploadRestMs / 1000} seconds, for ${uploadRestMsMax / 1000} seconds at most`);
  t.equal(uploadRestShareMax, 1 / 4);
  t.match(text, "until a quarter of the room");
  const { ownerWaitMsMax, guestReadMsMax } = limits.traffic;
  t.match(text, `waits for its turn for ${ownerWaitMsMax / 1000} seconds at most`);
  // Two windows of the kernel's read-ahead wait at once.
  const rate = 2 * limits.mount.readAheadKiB / (ownerWaitMsMax / 1000);
  t.ok(2 * ownerWaitMsMax + limits.transfer.readTimeoutMs <= limits.transfer.heldReadMsMax);
  t.match(text, `below ${rate} KiB a second`);
  t.match(text, `A peer that reads here waits for ${guestReadMsMax / 1000} seconds`);
  t.match(text, `reads of up to ${limits.peers.controlBytesMax / 1024} KiB never wait`);
  t.match(text, `chunks of ${limits.tree.chunkBytes / 1024} KiB`);
  const { ledger } = limits;
  const [hourMs, dayMs] = [3_600_000, 24 * 3_600_000];
  t.match(text, `of at most ${ledger.intervalMsMax / hourMs} hours`);
  t.match(text, `over up to ${ledger.depthMax} steps, half of what others earned`);
  t.equal(ledger.ownShare, 1 / 2);
  t.match(text, `passed after ${ledger.halfLifeMs / dayMs} days`);
  t.match(text, `word after ${ledger.staleMs / dayMs} days`);
  const asked = `${ledger.ratio} GB kept for others are asked, for ${ledger.thereShare * 100} %`;
  t.match(text, `For each GB of files ${asked}`);
  t.equal(ledger.newcomersPrefixShare, 1 / 8);
  t.equal(ledger.shardsPerByte, erasureClasses[0]!.n / erasureClasses[0]!.k);
  t.match(text, `may have ${ledger.allowanceBytes / 2 ** 30} GiB of shards`);
  t.match(text, `all such together ${ledger.newcomersShare * 100} % of the quota`);
  t.strictSame([ledger.tellMs, ledger.releaseEveryMs], [7 * dayMs, hourMs]);
  t.match(text, `as k + ${ledger.spareShards} have just been proven`);
  t.match(text, `of less than ${ledger.fraudBytesMax / 1024} KiB`);
  const { version } = JSON.parse(read("package.json")) as { version: string };
  t.match(text, `.It Sy ${version} `, "this version stands in the history");
  t.end();
});

test("hive-format(5) has the code's sizes", (t) => {
  const text = read("man/hive-format.5");
  t.match(text, blockSizes.map((size) => size / 1024).join(" "));
  const [small, middle, large] = limits.segment.shardBytes.map((size) => size / 1024);
  t.match(text, `${small} KiB, ${middle} KiB or ${large} KiB`);
  t.match(text, `at most ${limits.peers.headBytesMax / 1024} KiB; a payload at most ${large} KiB`);
  t.match(text, `leaves of ${limits.segment.leafBytes / 1024} KiB`);
  t.end();
});

test("hive-format(5) names every vector, and only files that are there", (t) => {
  const text = read("man/hive-format.5");
  const vectors = readdirSync(join(root, "test/vectors")).filter((name) => name.endsWith(".json"));
  t.strictSame(vectors.filter((name) => !text.includes(name)), [], "name it in man/hive-format.5");
  const named = [...text.matchAll(/^\.Pa ([a-z.-]+\.json)/gm)].map((match) => match[1] as string);
  t.strictSame(named.filter((name) => !vectors.includes(name)), []);
  const sources = [...text.matchAll(/^\.Pa (src\/\S+\.ts)/gm)].map((match) => match[1] as string);
  t.ok(sources.length > 20);
  t.strictSame(sources.filter((name) => !existsSync(join(root, name))), []);
  t.end();
});

/** The macros that our pages are written with. */
const macros =
  /^\.(\\"|(Dd|Dt|Os|Sh|Ss|Nm|Nd|Ar|Op|Cm|Pp|Bl|It|El|Bd|Ed|Xr|Pa|Sy|Em|Ql|Dq|Sx|Pq|Fl)\b)/;

for (const page of pages) {
  test(`${page} is sound mdoc`, (t) => {
    const lines = read(`man/${page}`).split("\n");
    const count = (macro: string) => lines.filter((line) => line.startsWith(`.${macro}`)).length;
    t.equal(count("Bl "), count("El"), "lists end");
    t.equal(count("Bd "), count("Ed"), "displays end");
    t.equal(count("Sh NAME"), 1);
    t.strictSame(lines.filter((line) => line.startsWith(".") && !macros.test(line)), []);
    t.strictSame(lines.filter((line) => /[^\x20-\x7e]/.test(line)), [], "ASCII only");
    t.strictSame(lines.filter((line) => /\s$/.test(line)), [], "no space at the end of a line");
    t.end();
  });
}

/** The words of the two tables in options.ts. */
function namesIn(source: string): string[] {
  const tables = source.slice(source.indexOf("const switches"), source.indexOf("/** Parses"));
  const entries = tables.split("\n").filter((line) => line.startsWith("  "));
  const found = entries.flatMap((line) => [...line.matchAll(/(?:^|, )\s*(\w+): [{(]/g)]);
  return found.map((match) => match[1] as string);
}
