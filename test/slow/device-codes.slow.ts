/**
 * Machines without the words are added to a drive by a code, and one of them is shut out: real
 * daemons, real mounts, one swarm. None of them gets the seed, or lets in another; each reads what
 * somebody else shares with their person. From then on holders refuse the one, it is told so, and
 * what is written it does not get, not even as a thief would ask for it; the other goes on.
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
import { type Machine, newMachine, until } from "../support/cli.ts";
import { faultOf } from "../support/faults.ts";
import { met } from "../support/folders.ts";
import { openTestNode } from "../support/peer-nodes.ts";
import { keyFileOf, secretsOf } from "../support/secrets.ts";

const soon = { seconds: 60 };

/** A machine of this name with the drive of that one, mounted. */
async function added(t: Test, name: string, { desk, peer }: { desk: Machine; peer: string }) {
  const machine = newMachine(name);
  t.teardown(() => machine.end());
  const shown = Promise.withResolvers<string>();
  const adding = machine.hive(["device", "add", "--peer", peer], undefined, shown.resolve);
  await desk.must(t, ["device", "confirm", (await shown.promise).trim()]);
  const { code, error } = await adding;
  t.equal(code, 0, error);
  await machine.must(t, ["mount", machine.mount]);
  return machine;
}

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

function codeOf(act: () => void): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}

test("devices are added by a code, one is shut out, and the others go on", { timeout: 290_000 }, async (t) => {
  const desk = newMachine("desk");
  t.teardown(() => desk.end());
  await desk.must(t, ["mount", desk.mount, "--swarm", "3"]);
  const write = (machine: Machine, name: string): void =>
    writeFileSync(join(machine.mount, name), `${name} of ${machine.directory}\n`);
  write(desk, "before");
  await desk.must(t, ["flush", "--timeout", "60"]);
  const peer = (await desk.swarm())[0]?.address as string;
  const ben = await sharedBy(t, desk);
  const lap = await added(t, "lap", { desk, peer });
  const pad = await added(t, "pad", { desk, peer });
  t.match(readFileSync(join(lap.mount, "before"), "utf8"), /^before of/);
  const [seed] = await secretsOf(desk);
  t.notOk(readFileSync(keyFileOf(lap)).includes(seed as Buffer), "it has not the seed");
  t.equal((await lap.hive(["device", "confirm", "0000-0000-0000"])).code, 4, "it adds no other");
  await says(lap, "of ben");
  t.match((await lap.must(t, ["contacts"])).out, /Ben/);
  t.match((await lap.must(t, ["shares"])).out, /Shared\/songs +of Ben.*\n.*let in by a code/);
  const refused = await lap.hive(["contacts", "me"]);
  t.equal(refused.code, 4, "nor does it share");
  t.match(refused.error, /has not the drive's words.*\n.*hive device list tells which/);
  write(lap, "kept");
  await lap.must(t, ["flush", "--timeout", "60"]);
  await until(async () => existsSync(join(desk.mount, "kept")), { ...soon, what: "lap on desk" });

  const rows = JSON.parse((await lap.must(t, ["device", "list", "--json"])).out) as
    { peer: string; isThis: boolean; standing: string }[];
  const own = rows.find(({ isThis }) => isThis);
  t.equal(own?.standing, "added");
  const removed = await desk.must(t, ["device", "remove", own?.peer as string, "--json"]);
  t.match(JSON.parse(removed.out), { hadWords: false, told: 3, holders: 3 });

  const isReadOnly = (): boolean => codeOf(() => write(lap, "too late")) === "EROFS";
  await until(async () => isReadOnly(), { ...soon, what: "lap's mount is read-only" });
  t.match(readFileSync(join(lap.mount, "kept"), "utf8"), /^kept of/, "and still there");
  await until(async () => !existsSync(songOf(lap)), { ...soon, what: "Ben's song is gone from lap" });
  writeFileSync(join(ben.mount, "songs", "song"), "another of ben");
  await ben.must(t, ["flush", "--timeout", "60"]);
  await says(pad, "another of ben");
  t.match((await pad.must(t, ["verify", "--of", "songs"])).out, /0 segments missing/);
  write(desk, "after");
  await desk.must(t, ["flush", "--timeout", "60"]);
  await until(async () => existsSync(join(pad.mount, "after")), { ...soon, what: "after on pad" });
  t.match(readFileSync(join(pad.mount, "after"), "utf8"), /^after of/, "who stays goes on");
  write(pad, "also");
  await until(async () => existsSync(join(desk.mount, "also")), { ...soon, what: "pad on desk" });
  await until(async () => (await lap.hive(["flush", "--timeout", "2"])).code === 4, {
    ...soon, what: "lap is told that it is out",
  });
  t.match((await lap.hive(["status"])).out, /alert +this device was removed.*read-only/);
  t.notOk(existsSync(join(lap.mount, "after")), "what was written since is not there");
  t.notOk(existsSync(join(desk.mount, "too late")), "nor is what it wrote anywhere else");
  await lap.must(t, ["unmount"]);
  const isRefused = async (): Promise<boolean> => {
    const answers = await answersTo(lap, (await desk.swarm()).map(({ address }) => address));
    return answers.includes("Denied") && !answers.includes("none");
  };
  await until(isRefused, { ...soon, what: "holders of Ben's refuse it, whatever it brings them" });
  const again = await lap.hive(["mount", lap.mount]);
  t.equal(again.code, 4);
  t.match(again.error, /this device was removed from its drive at 20/);
  t.match(again.error, /hint: hive mount -o ro/);
  await lap.must(t, ["mount", "-o", "ro", lap.mount]);
  t.match(readFileSync(join(lap.mount, "kept"), "utf8"), /^kept of/, "what it held is read");
});
