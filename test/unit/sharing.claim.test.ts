/** A right to write is used on one device: whoever comes second reads, and loses nothing. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Ino, type OwnerId, type PeerId, nameFromText, parseName, rootIno }
  from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Share, ShareNetwork } from "../../src/base/sharing.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { decodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { parseRoot } from "../../src/dag/root.ts";
import { SharedFolders } from "../../src/shared/folders.ts";
import { rootOf } from "../../src/sharing/records/folder-root.ts";
import { Claim } from "../../src/sharing/writing/claim.ts";
import { faultOf } from "../support/faults.ts";
import { PooledStore } from "../support/merge-devices.ts";
import { ShareMaker, payloadOf } from "../support/share-maker.ts";
import { SharedFolder, at, put, textAt } from "../support/shared-folder.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.claim/${seed}`);
const never = new AbortController().signal;

/** The owner's holders: what each of them was told, and whether it answers. */
class Holders implements ShareNetwork {
  readonly answers = new Map<PeerId, Share | "nothing" | "away">();
  asked = 0;
  meanwhile: () => Promise<void> = async () => undefined;

  async share(...[to, , payload]: Parameters<ShareNetwork["share"]>): Promise<Uint8Array> {
    this.asked++;
    await this.meanwhile();
    const answer = this.answers.get(to) ?? "away";
    const { share, sequence } = decodeShareAsk(payload);
    if (answer === "away") throw new HiveError("Unavailable", "test", to);
    if (answer === "nothing") throw new HiveError("NotFound", "test", share);
    return answer.sequence > sequence ? answer.bytes : Buffer.alloc(0);
  }
}

const peers = ["a", "b"].map((letter) => `12D3KooW${letter}`.padEnd(52, letter) as PeerId);

function town() {
  const maker = new ShareMaker(random);
  const ben = personKeysOf(random.bytes(32));
  const right = maker.rightOf(ben, 1);
  const network = new Holders();
  const says = (...answers: readonly (Share | "nothing" | "away")[]) => {
    answers.forEach((answer, at) => network.answers.set(peers[at] as PeerId, answer));
  };
  const written = (sequence: number, name: string, by = right) => {
    const payload = payloadOf(random, 7 as Ino);
    const { directory } = parseRoot(payload.root);
    const root = rootOf(directory, new Map([[right.number, { count: 5, name }]]));
    return maker.written(by, sequence, { ...payload, root });
  };
  const device = (books = new MemoryBooks()) => new Claim({
    books, clock: systemClock, network, right, grant: maker.writeGrant(ben, 1), owners: () => peers,
  });
  return { maker, right, network, says, written, device };
}

test("whoever comes second finds the first one's record, and reads", async (t) => {
  const { says, written, device } = town();
  says("nothing", "nothing");
  const first = device();
  await first.settle();
  t.equal(first.rival, null);
  const sequence = await first.numbering.next();
  t.ok(await first.numbering.next() > sequence);
  says("nothing", written(sequence, "lap"));
  const books = new MemoryBooks();
  const second = device(books);
  await second.settle();
  t.equal(second.rival, "lap");
  says("away", "away");
  const again = device(books);
  await again.settle();
  t.equal(again.rival, "lap", "over a restart, with nobody there");
});

test("until a holder has answered nothing is written; once it has, nobody need be there", async (t) => {
  const { network, says, device } = town();
  const books = new MemoryBooks();
  says("away", "away");
  t.equal(await faultOf(device(books).settle()), "Unavailable");
  says("away", "nothing");
  const claim = device(books);
  await claim.settle();
  says("away", "away");
  const { asked } = network;
  const again = device(books);
  await again.settle();
  t.equal(again.rival, null);
  t.equal(network.asked, asked, "not asked again");
  await again.look({ isDue: true }, never);
  t.equal(again.rival, null, "who does not answer says nothing");
});

test("of two that began apart from each other the later one goes on", async (t) => {
  const { says, written, device } = town();
  says("nothing", "nothing");
  const [one, other] = [device(), device()];
  await one.settle();
  await other.settle();
  const early = await one.numbering.next();
  while (systemClock.now() <= early) await systemClock.delay(1);
  const late = await other.numbering.next();
  says(written(late, "desk"), "nothing");
  await other.look({ isDue: true }, never);
  await one.look({ isDue: true }, never);
  t.equal(one.rival, "desk");
  says(written(early, "lap"), "nothing");
  await other.look({ isDue: true }, never);
  t.equal(other.rival, null, "an older record is no other device's word");
});

test("what is signed here while holders are asked is no other device's", async (t) => {
  const { network, says, written, device } = town();
  says("nothing", "nothing");
  const claim = device();
  await claim.settle();
  network.meanwhile = async () => says(written(await claim.numbering.next(), "lap"), "nothing");
  await claim.look({ isDue: true }, never);
  t.equal(claim.rival, null);
});

test("a holder cannot keep anybody off with what is not signed by the right", async (t) => {
  const { maker, says, written, device } = town();
  const eve = maker.rightOf(personKeysOf(random.bytes(32)), 1);
  says(written(10, "eve", eve), "nothing");
  const claim = device();
  await claim.settle();
  t.equal(claim.rival, null);
});

test("what was written where another device goes on stays to be read", async (t) => {
  const both = await new SharedFolder("held").open(async (tree, folder) => {
    await put(tree, "of the owner", "first", folder);
  });
  const root = await both.ownersRoot();
  const stores = new Map<OwnerId, PooledStore>();
  const kept = (writer: OwnerId) => {
    const store = stores.get(writer) ?? Object.assign(new PooledStore(both.pool), {
      step: { name: "none", step: async () => "idle" as const },
    });
    stores.set(writer, store);
    return { store: store as never, close: async () => undefined };
  };
  await using shared = new SharedFolders({
    store: both.owners, clock: systemClock, random, log: silentLog,
    openStore: async (writer) => kept(writer), hasStore: (writer) => stores.has(writer),
    run: () => ({ [Symbol.asyncDispose]: async () => undefined }),
  }, { uid: 1, gid: 1 });
  const name = nameFromText("work");
  const right = {
    writer: "ab".repeat(32) as OwnerId, treeSecret: Buffer.alloc(32, 6), number: 5,
    deviceName: "lap", isHeld: true,
  };
  await shared.shared({ name, root, right });
  const reading = await shared.open(name);
  t.equal(reading.writable, false, "where nothing was written it is the owner's, to read");
  t.equal(stores.size, 0);

  await shared.shared({ name, root, right: { ...right, isHeld: false } });
  const { files } = await shared.open(name);
  const place = { parent: rootIno, name: parseName("mine") };
  const flags = { read: true, write: true, append: false, truncate: true, exclusive: false };
  const { handle } = await files.create(nobody, place, { mode: 0o644 }, flags);
  await files.write(handle, 0, Buffer.from("not with the owner yet"));
  await files.release(handle);
  await shared.shared({ name, root, right });
  const held = await shared.open(name);
  t.equal(held.writable, false);
  t.equal(await textAt(held.files as never, "mine"), "not with the owner yet");
  t.equal(await faultOf(async () => held.files.unlink(nobody, at("mine"))), "ReadOnly");
  await shared.commitMost();
});
