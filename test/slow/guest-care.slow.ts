/**
 * What a guest writes in a folder of somebody else's, over real vaults: it is looked after as the
 * drive's own until the owner has taken it over, and then given back.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { systemClock as clock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { type Cid, parseName, rootIno } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { noOrders } from "../../src/base/traffic.ts";
import { LateTree } from "../../src/bridge/tree.ts";
import { openCache } from "../../src/cache/cache.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { writeRightOf } from "../../src/crypt/drive/write-right.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { openRoot } from "../../src/dag/root.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { Notices } from "../../src/guard/notices.ts";
import { Guests } from "../../src/node/guests.ts";
import { findFolder, rootOf } from "../../src/sharing/records/folder-root.ts";
import { Traffic } from "../../src/traffic/traffic.ts";
import type { Transfer } from "../../src/transfer/transfer.ts";
import { openGuestTree } from "../../src/tree/guest-tree.ts";
import { type Tree, openTree } from "../../src/tree/tree.ts";
import { openVault } from "../../src/vault/vault.ts";
import { PooledStore } from "../support/merge-devices.ts";
import { at, put, textAt } from "../support/shared-folder.ts";
import { TownNetwork, emptyHost } from "../support/town-network.ts";
import { MemoryBooks } from "../support/transfer-world.ts";
import { nobody } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`guest-care/${seed}`);
const shared = { clock, random, log: silentLog };
const silently = async (): Promise<void> => undefined;

/** Waits for what happens, not for a time. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1_200; turn++) {
    if (await isSo()) return;
    await clock.delay(100);
  }
  throw new Error(`in vain: ${what}`);
}

/** The owner's tree, which can fetch what the guest made from whoever keeps it. */
class OwnersStore extends PooledStore {
  guest: Transfer | undefined;

  override get(cid: Cid): Uint8Array | Promise<Uint8Array> {
    if (this.has(cid) || this.guest === undefined) return super.get(cid);
    return this.guest.fetch(cid, {});
  }
}

async function holders(network: TownNetwork, directory: string, parts: AsyncDisposableStack) {
  const vaults = [];
  for (const name of ["ann", "ben", "cem", "dora"]) {
    const keys = peerKeysOf(random.bytes(32));
    const neighbours = {
      offer: () => network.offerOf(network.members.get(keys.peer)!),
      peers: () => network.peersFor(keys.peer),
    };
    const vault = parts.use(await openVault({
      directory: join(directory, name), books: new MemoryBooks(), keys, neighbours, clock,
      log: silentLog,
    }, { quotaBytes: 2 ** 30 }));
    network.members.set(keys.peer, { keys, household: name, host: vault });
    vaults.push({ peer: keys.peer, vault });
  }
  return vaults;
}

/** Somebody's drive with a folder that the guest writes, and that folder as he shows it. */
async function openOwner(owners: OwnersStore) {
  const secret = random.bytes(32);
  const tree = await openTree({ ...shared, store: owners }, {
    treeSecret: secret, device: { number: 101, name: "desk" },
  });
  const { ino: folder } = await tree.mkdir(nobody, at("f"), { mode: 0o755 });
  const shown = async (): Promise<Uint8Array> => {
    await tree.commit();
    const root = openRoot(treeKeys(secret), owners.root() as Uint8Array);
    const wanted = { ino: folder, path: [parseName("f")] };
    const found = await findFolder(root, wanted, async (cid) => owners.get(cid));
    return rootOf(found!, root.devices);
  };
  return { tree, folder, shown };
}

/** A guest of that folder, and the agent of her right, over four holders. */
async function openGuest(parts: AsyncDisposableStack) {
  const directory = await mkdtemp(join(tmpdir(), "hive-guest-"));
  parts.defer(() => rm(directory, { recursive: true, force: true }));
  const network = new TownNetwork(clock);
  const vaults = await holders(network, directory, parts);
  const right = writeRightOf(random.bytes(32));
  const keys = peerKeysOf(random.bytes(32));
  network.members.set(keys.peer, { keys, household: "guest", host: emptyHost });
  const view = network.seenBy(keys, () => [right.keys.owner]);
  const pool = new Map<Cid, Uint8Array>();
  const owners = new OwnersStore(pool);
  const owner = await openOwner(owners);

  const store = parts.use(await openCache({
    directory: join(directory, "guest"), clock, log: silentLog, fetcher: undefined,
  }, { limitBytes: 64 * MiB }));
  const traffic = parts.use(new Traffic({ clock, isNear: () => true }, noOrders));
  const late = new LateTree();
  const proofs: string[] = [];
  const tally = {
    proved: async ({ segment }: { readonly segment: string }) => void proofs.push(segment),
    sampled: async () => undefined, sent: () => undefined,
  };
  const guests = parts.use(new Guests({
    ...shared, coder: openCoder(), notices: new Notices(() => clock.monotonicMs()), ledger: { tally },
    company: { network: view as never, traffic }, onPublished: () => undefined,
    guest: () => ({ source: store, census: late }),
  }, { usual: { settleMs: 0 }, deadAfterMs: 2_000, auditIntervalMs: 300 }));
  const transfer = await guests.open(right, new MemoryBooks());
  store.setFetcher({
    fetch: async (cid, options) => pool.get(cid) ?? await transfer.fetch(cid, options),
  });
  owners.guest = transfer;
  const tree = await openGuestTree({ ...shared, store }, {
    treeSecret: right.keys.treeSecret, root: await owner.shown(),
    device: { number: right.number, name: "lap" },
  });
  parts.defer(() => tree.close());
  late.begin(tree);
  /** What she shows the owner. */
  const shown = async (): Promise<Uint8Array> => {
    await tree.commit();
    const root = openRoot(treeKeys(right.keys.treeSecret), store.root() as Uint8Array);
    return rootOf(root.directory, root.devices);
  };
  return { network, vaults, right, owner, store, guests, transfer, tree, proofs, shown };
}

test("what a guest writes is audited, mended, verified and given back", { timeout: 240_000 },
  async (t) => {
    await using parts = new AsyncDisposableStack();
    const made = await openGuest(parts);
    const { network, vaults, right, owner, store, guests, transfer, tree, proofs } = made;
    const text = random.bytes(350_000).toString("hex");
    await put(tree, "of the guest", text);
    await tree.commit();
    await transfer.flush(60_000);
    const [before] = await guests.verify({ deep: false });
    t.match(before, { missing: 0, proofsWrong: 0, offline: 0 });
    t.ok(before!.segments > 0 && before!.proofsRight >= 3, "all of it is proven");
    await until("audits by themselves", () => proofs.length > before!.segments);

    const [lost] = transfer.members();
    network.sides.set(lost!, 1);
    await until("its shards have another home", () => {
      const { segments } = transfer.status();
      return !transfer.holders().has(lost!) && segments.degraded + segments.lost === 0;
    });
    t.equal(transfer.holders().size, 3, "on the fourth, who had none");

    const hers = await cidsOf(tree);
    const from = { folder: owner.folder, number: right.number, kin: [], name: "Ben" };
    await owner.tree.guests.mergeGuest(await made.shown(), from, silently);
    t.equal(await textAt(owner.tree, "of the guest", owner.folder), text);
    t.ok(await tree.guests.mergeOwner(await owner.shown(), silently), "it is the owner's now");
    t.strictSame(await cidsOf(tree), await cidsOf(owner.tree, owner.folder), "in the owner's blocks");
    await tree.commit();
    await transfer.flush(60_000);
    const kept = () => vaults.reduce((sum, { vault }) => sum + vault.usage().usedBytes, 0);
    const keptBefore = kept();
    await until("the room is given back", async () => {
      await guests.reclaim(60_000);
      return kept() < keptBefore / 2;
    });
    for (const cid of hers) {
      const found = await transfer.fetch(cid, {}).then(() => "here", (error: unknown) => {
        return isFault(error) ? error.kind : "a bug";
      });
      t.equal(found, "NotFound", "no holder has it, by the books");
    }
    await store.dropClean();
    tree.forgetOpened();
    t.equal(await textAt(tree, "of the guest"), text, "read as the owner has it");
    const [after] = await guests.verify({ deep: false });
    t.match(after, { missing: 0, proofsWrong: 0 });
  });

async function cidsOf(tree: Tree, folder = rootIno): Promise<readonly Cid[]> {
  const cids: Cid[] = [];
  for await (const cid of tree.cidsBelow(folder)) cids.push(cid);
  return cids.sort();
}
