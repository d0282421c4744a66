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
import { openCache } from "../../src/cache/cache.ts";
import { peerKeysOf } from "../../src/crypt/peer-key.ts";
import { writeRightOf } from "../../src/crypt/write-right.ts";
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

test("what a guest writes is audited, mended, verified and given back", { timeout: 240_000 },
  async (t) => {
    await using parts = new AsyncDisposableStack();
    const directory = await mkdtemp(join(tmpdir(), "hive-guest-"));
    parts.defer(() => rm(directory, { recursive: true, force: true }));
    const network = new TownNetwork(clock);
    const vaults = await holders(network, directory, parts);
    const right = writeRightOf(random.bytes(32));
    const keys = peerKeysOf(random.bytes(32));
    network.members.set(keys.peer, { keys, household: "guest", host: emptyHost });
    const view = network.seenBy(keys, () => [right.keys.owner]);
    const shared = { clock, random, log: silentLog };

    const pool = new Map<Cid, Uint8Array>();
    const owners = new OwnersStore(pool);
    const secret = random.bytes(32);
    const owner = await openTree({ ...shared, store: owners }, {
      treeSecret: secret, device: { number: 101, name: "desk" },
    });
    const { ino: folder } = await owner.mkdir(nobody, at("f"), { mode: 0o755 });
    const ownersRoot = async () => {
      await owner.commit();
      const root = openRoot(treeKeys(secret), owners.root() as Uint8Array);
      const found = await findFolder(root, { ino: folder, path: [parseName("f")] },
        async (cid) => owners.get(cid));
      return rootOf(found!, root.devices);
    };

    const store = parts.use(await openCache({
      directory: join(directory, "guest"), clock, log: silentLog, fetcher: undefined,
    }, { limitBytes: 64 * MiB }));
    const traffic = parts.use(new Traffic({ clock, isNear: () => true }, noOrders));
    let tree: Tree | undefined;
    const proofs: string[] = [];
    const tally = {
      proved: async ({ segment }: { readonly segment: string }) => void proofs.push(segment),
      sampled: async () => undefined, sent: () => undefined,
    };
    const guests = parts.use(new Guests({
      ...shared, coder: openCoder(), notices: new Notices(() => clock.monotonicMs()), ledger: { tally },
      company: { network: view as never, traffic }, onPublished: () => undefined,
      guest: () => ({ source: store, census: { census: async (blocks) => tree?.census(blocks) } }),
    }, { usual: { settleMs: 0 }, deadAfterMs: 2_000, auditIntervalMs: 300 }));
    const transfer = await guests.open(right, new MemoryBooks());
    store.setFetcher({
      fetch: async (cid, options) => pool.get(cid) ?? await transfer.fetch(cid, options),
    });
    owners.guest = transfer;
    tree = await openGuestTree({ ...shared, store }, {
      treeSecret: right.keys.treeSecret, root: await ownersRoot(),
      device: { number: right.number, name: "lap" },
    });
    const theirs = tree;
    parts.defer(() => theirs.close());

    const text = random.bytes(350_000).toString("hex");
    await put(theirs, "of the guest", text);
    await theirs.commit();
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

    const made = await cidsOf(theirs);
    const told = async () => {
      await theirs.commit();
      const { directory: guests, devices } = openRoot(
        treeKeys(right.keys.treeSecret), store.root() as Uint8Array);
      return rootOf(guests, devices);
    };
    await owner.guests.mergeGuest(await told(), {
      folder, number: right.number, kin: [], name: "Ben",
    }, silently);
    t.equal(await textAt(owner, "of the guest", folder), text);
    t.ok(await theirs.guests.mergeOwner(await ownersRoot(), silently), "it is the owner's now");
    t.strictSame(await cidsOf(theirs), await cidsOf(owner, folder), "in the owner's blocks");
    await theirs.commit();
    await transfer.flush(60_000);
    const kept = () => vaults.reduce((sum, { vault }) => sum + vault.usage().usedBytes, 0);
    const keptBefore = kept();
    await until("the room is given back", async () => {
      await guests.reclaim(60_000);
      return kept() < keptBefore / 2;
    });
    for (const cid of made) {
      const found = await transfer.fetch(cid, {}).then(() => "here", (error: unknown) => {
        return isFault(error) ? error.kind : "a bug";
      });
      t.equal(found, "NotFound", "no holder has it, by the books");
    }
    await store.dropClean();
    theirs.forgetOpened();
    t.equal(await textAt(theirs, "of the guest"), text, "read as the owner has it");
    const [after] = await guests.verify({ deep: false });
    t.match(after, { missing: 0, proofsWrong: 0 });
  });

async function cidsOf(tree: Tree, folder = rootIno): Promise<readonly Cid[]> {
  const cids: Cid[] = [];
  for await (const cid of tree.cidsBelow(folder)) cids.push(cid);
  return cids.sort();
}
