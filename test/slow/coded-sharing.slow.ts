/**
 * A machine that was let in by a code reads what somebody else shares with its person, and changes
 * nothing of it; once it is shut out it shows no more, and holders refuse it even what a thief asks
 * for with all that it has. Real daemons, real mounts, one swarm.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { tieKeys } from "../../src/base/book-keys.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { openKeyFile } from "../../src/crypt/drive/keyfile.ts";
import { parseReading } from "../../src/crypt/records/readings.ts";
import { parseDeviceCertificate } from "../../src/crypt/records/records.ts";
import { encodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { parseTies } from "../../src/dag/ties.ts";
import { mandateKey } from "../../src/sharing/mandates/coded-ties.ts";
import { added } from "../support/added-device.ts";
import { type Machine, until } from "../support/cli.ts";
import { faultOf } from "../support/faults.ts";
import { openTestNode } from "../support/peer-nodes.ts";
import { keyFileOf } from "../support/secrets.ts";
import { acquaint, appears, share, twoPeople } from "../support/two-people.ts";

const soon = { seconds: 90 };
type Row = { readonly peer: string; readonly isThis: boolean };

const songOf = ({ mount }: Machine): string => join(mount, "Shared", "songs", "song");

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
    const { ann: desk, ben, toAnn } = await twoPeople(t, { peers: 3 });
    const addresses = (await desk.swarm()).map(({ address }) => address);
    await acquaint(t, { ann: desk, ben });
    mkdirSync(join(ben.mount, "songs"), { mode: 0o700 });
    writeFileSync(join(ben.mount, "songs", "song"), "of ben");
    await share(t, "songs", { from: ben, to: desk, name: "Ann" });
    const lap = await added(t, "lap", { desk, peer: toAnn.peer });
    await appears(songOf(lap), "of ben", soon);
    t.match((await lap.must(t, ["contacts"])).out, /Ben/);
    t.match((await lap.must(t, ["shares"])).out, /Shared\/songs +of Ben.*\n.*let in by a code/);
    const refused = await lap.hive(["contacts", "me"]);
    t.equal(refused.code, 4, "it shares nothing itself");
    t.match(refused.error, /has not the drive's words.*\n.*hive device list tells which/);
    writeFileSync(join(ben.mount, "songs", "song"), "another of ben");
    await ben.must(t, ["flush", "--timeout", "60"]);
    await appears(songOf(lap), "another of ben", soon);

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
