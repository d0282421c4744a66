/**
 * What it takes to share a large folder: what goes over the line from the moment in which its owner
 * shares it until all holders know, by her daemon's own count, beside what goes in as long a time
 * before; then what the reader's daemon receives until he sees the folder, and has read some of it.
 *
 *   npm run drill -- sharing [--gib 10] [--cache 1G]
 */
import { createHash } from "node:crypto";
import { mkdirSync, openSync, readSync, readdirSync, closeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { MiB } from "../../src/base/bytes.ts";
import type { DriveStatus } from "../../src/base/views/drive.ts";
import { type Machine, newMachine, until } from "../../test/support/cli.ts";
import { introduce, shares } from "../../test/support/two-people.ts";
import { writeLarge } from "./large.ts";
import { quietly } from "./lives/gifts.ts";
import { must, say, seconds } from "./machine.ts";

const peers = 8;
const fileBytes = 1024 * MiB;
/** For the state of one folder: a record to each holder, and their answers. */
const shareBytesMax = 64 * 1024;
const [calmSeconds, restSeconds] = [60, 20];

type Values = Readonly<Partial<Record<"gib" | "cache", string>>>;

export async function sharing(values: Values): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const [ann, ben] = [newMachine("ann"), newMachine("ben")];
  for (const machine of [ann, ben]) stack.defer(() => machine.end());
  await introduce({ ann, ben }, must, { peers });
  await must(ann, ["cache", "--limit", String(values.cache)]);
  const folder = join(ann.mount, "private", "films");
  mkdirSync(folder, { recursive: true });
  const start = performance.now();
  for (let at = 0; at < Number(values.gib); at++) {
    await writeLarge(join(folder, `film ${at}`), fileBytes, `film ${at}`);
  }
  await must(ann, ["flush", "--timeout", "3600"]);
  say(`  ${values.gib} GiB are on the peers after ${seconds(start)}`);

  // What an upload leaves to do, such as proving what was placed, ends first.
  await delay(calmSeconds * 1000);
  const rested = await sentIn(ann, () => delay(restSeconds * 1000));
  const person = (await must(ben, ["contacts", "me"])).out.trim();
  await must(ann, ["contacts", "add", "Ben", person]);
  let grant = "";
  const shared = await sentIn(ann, async () => {
    grant = (await must(ann, ["share", folder, "--with", "Ben"])).out.trim();
    const allKnow = async () =>
      (await shares(ann)).given.every(({ told, holders }) => told === holders);
    await until(allKnow, { seconds: 60, what: "all holders know" });
  });
  say(`  a grant of ${grant.length} characters; until all holders knew ${shared.bytes} bytes sent ` +
    `in ${shared.seconds} s, proofs and all (${rested.bytes} in ${rested.seconds} s before)`);
  await read(ben, grant, folder);
  if (shared.bytes > shareBytesMax) throw new Error(`more than ${shareBytesMax} bytes were sent`);
}

async function read(ben: Machine, grant: string, folder: string): Promise<void> {
  const start = performance.now();
  const before = await trafficOf(ben);
  await must(ben, ["accept", grant, "films"]);
  const theirs = join(ben.mount, "Shared", "films");
  const names = readdirSync(folder);
  const isThere = async () => quietly(() => readdirSync(theirs))?.length === names.length;
  await until(isThere, { seconds: 60, what: "the reader sees the folder" });
  const seen = await trafficOf(ben);
  say(`  the reader sees ${names.length} files after ${seconds(start)} and ` +
    `${seen.receivedBytes - before.receivedBytes} bytes`);
  for (const name of names) {
    const isSame = partOf(join(theirs, name)) === partOf(join(folder, name));
    if (!isSame) throw new Error(`${name} differs`);
  }
  say(`  a MiB of each is equal, read after ${seconds(start)}`);
}

/** What its daemon sends while this is done. */
async function sentIn(machine: Machine, act: () => Promise<void>) {
  const start = performance.now();
  const before = await trafficOf(machine);
  await act();
  const { sentBytes } = await trafficOf(machine);
  const took = (performance.now() - start) / 1000;
  return { bytes: sentBytes - before.sentBytes, seconds: took.toFixed(1) };
}

async function trafficOf(machine: Machine): Promise<DriveStatus["traffic"]> {
  return (JSON.parse((await must(machine, ["status", "--json"])).out) as DriveStatus).traffic;
}

function partOf(path: string): string {
  const block = Buffer.alloc(MiB);
  const file = openSync(path, "r");
  readSync(file, block, 0, MiB, 512 * MiB);
  closeSync(file);
  return createHash("sha256").update(block).digest("hex");
}
