/**
 * A machine that was let in by a code reads what somebody else shares with its person, and changes
 * nothing of it; once it is shut out it shows no more, and holders refuse it even what a thief asks
 * for with all that it has. Real daemons, real mounts, one swarm.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { tieKeys } from "../../src/base/book-keys.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { openKeyValue } from "../../src/cache/key-value.ts";
import { openKeyFile } from "../../src/crypt/keyfile.ts";
import { peerKeysOf } from "../../src/crypt/peer-key.ts";
import { parseReading } from "../../src/crypt/readings.ts";
import { parseDeviceCertificate } from "../../src/crypt/records.ts";
import { encodeShareAsk } from "../../src/crypt/share-records.ts";
import { parseTies } from "../../src/dag/ties.ts";
import { mandateKey } from "../../src/sharing/coded-ties.ts";
import { added } from "../support/added-device.ts";
import { type Machine, newMachine, until } from "../support/cli.ts";
import { faultOf } from "../support/faults.ts";
import { met } from "../support/folders.ts";
import { openTestNode } from "../support/peer-nodes.ts";
import { keyFileOf } from "../support/secrets.ts";

const soon = { seconds: 90 };
type Row = { readonly peer: string; readonly isThis: boolean };

/** Somebody of a drive of his own, whose folder "songs" the desk's person took up. */
async function sharedBy(t: Test, desk: Machine): Promise<Machine> {
  const ben = newMachine("ben");
  t.teardown(() => ben.end());
  await ben.must(t, ["init"]);
  const bootstrap = (await desk.swarm()).map(({ address }) => address);
  ben.settings({ listen: ["/ip4/127.0.0.1/tcp/0"], mdns: false, bootstrap });
  await ben.must(t, ["mount", ben.mount]);
  await met(ben, 3);
  mkdirSync(join(ben.mount, "songs"), { mode: 0o700 });
  writeFileSync(join(ben.mount, "songs", "song"), "of ben");
  const me = async (machine: Machine) => (await machine.must(t, ["contacts", "me"])).out.trim();
  await desk.must(t, ["contacts", "add", "Ben", await me(ben)]);
  await ben.must(t, ["contacts", "add", "Ann", await me(desk)]);
  const grant = await ben.must(t, ["share", join(ben.mount, "songs"), "--with", "Ann"]);
  await desk.must(t, ["accept", grant.out.trim()]);
  await ben.must(t, ["flush", "--timeout", "60"]);
  return ben;
}

const songOf = ({ mount }: Machine): string => join(mount, "Shared", "songs", "song");

function says(machine: Machine, text: string): Promise<void> {
  const path = songOf(machine);
  const isThere = async () => existsSync(path) && readFileSync(path, "utf8") === text;
  return until(isThere, { ...soon, what: `${path} says ${text}` });
}

/** To a thief of this machine, who need not obey: he asks for what it could read as it would. */
async function answersTo(lap: Machine, addresses: readonly string[]): Promise<readonly string[]> {
  const { peerSeed } = await openKeyFile(readFileSync(keyFileOf(lap)), undefined);
  await using books = await openKeyValue(join(lap.home, "state", "node", "books", "sharing"));
  const ties = parseTies(await books.get("ties") as Uint8Array);
  const mandate = parseDeviceCertificate(ties.get(mandateKey(peerKeysOf(peerSeed).peer))?.value as Buffer);
  if (mandate.expiresAtMs < Date.now()) throw new Error("it is over anyway");
  const [folder] = [...ties].filter(([key]) => key.startsWith(tieKeys.reading));
  const { owner, share } = parseReading(folder?.[1].value as Buffer);
  await using node = await openTestNode({ seed: peerSeed, certificates: () => [mandate] });
  const answers: string[] = [];
  for (const address of addresses) {
    await node.peers.connect(address);
    const peer = address.split("/p2p/")[1] as PeerId;
    const asked = node.peers.share(peer, "get", encodeShareAsk({ owner, share, sequence: 0 }));
    answers.push(await faultOf(asked));
  }
  return answers;
}

test("a machine that was let in by a code reads what others share, until it is shut out",
  { timeout: 290_000 }, async (t) => {
    const desk = newMachine("desk");
    t.teardown(() => desk.end());
    await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
    const addresses = (await desk.swarm()).map(({ address }) => address);
    const ben = await sharedBy(t, desk);
    const lap = await added(t, "lap", { desk, peer: addresses[0] as string });
    await says(lap, "of ben");
    t.match((await lap.must(t, ["contacts"])).out, /Ben/);
    t.match((await lap.must(t, ["shares"])).out, /Shared\/songs +of Ben.*\n.*let in by a code/);
    const refused = await lap.hive(["contacts", "me"]);
    t.equal(refused.code, 4, "it shares nothing itself");
    t.match(refused.error, /has not the drive's words.*\n.*hive device list tells which/);
    writeFileSync(join(ben.mount, "songs", "song"), "another of ben");
    await ben.must(t, ["flush", "--timeout", "60"]);
    await says(lap, "another of ben");

    const rows = JSON.parse((await lap.must(t, ["device", "list", "--json"])).out) as Row[];
    const own = rows.find(({ isThis }) => isThis);
    const removed = await desk.must(t, ["device", "remove", own?.peer as string]);
    t.match(removed.error, /it could read Shared\/songs of Ben/);
    await until(async () => !existsSync(songOf(lap)), { ...soon, what: "Ben's song is gone from lap" });
    await lap.must(t, ["unmount"]);
    const isRefused = async (): Promise<boolean> => {
      const answers = await answersTo(lap, addresses);
      return answers.includes("Denied") && !answers.includes("none");
    };
    await until(isRefused, { ...soon, what: "holders of Ben's refuse it, whatever it brings them" });
  });
