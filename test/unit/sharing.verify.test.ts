/**
 * Who may verify a folder, with raw keys, real vaults and the protocol: she proves and mends what its
 * holders keep, whether its owner is there or not, and nothing that she has opens any of it.
 */
import { test } from "tap";
import { wardReach } from "../../src/agent/asking/ward-reach.ts";
import { Tending } from "../../src/agent/mending/tending.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { GroupId, OwnerId, PeerId } from "../../src/base/ids.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { ShareHost, Ward } from "../../src/base/sharing.ts";
import { openOnce, openRecord } from "../../src/crypt/ciphers/aead.ts";
import { deriveKey } from "../../src/crypt/ciphers/keys.ts";
import { writeRightOf } from "../../src/crypt/drive/write-right.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { encodeShareAsk, parseShare, signShare, unwrapKey, verifiersIdOf }
  from "../../src/crypt/records/share-records.ts";
import { openPage, pageKey } from "../../src/dag/pages.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { openShare, openForVerifier, takeGrant } from "../../src/sharing/records/opened.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { decodeForVerifiers, encodeForVerifiers } from "../../src/sharing/records/verifiers-payload.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { World, refused } from "../contract/host.ts";
import { faultOf } from "../support/faults.ts";
import { openHolder } from "../support/holder.ts";
import { letterVectors } from "../support/letter-vectors.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { keptBy, openGiver, openReader, person } from "../support/sharing-sides.ts";
import { type VaultWorld, makeBlocks, makeVaultWorld, openWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.verify/${seed}`);
const never = new AbortController().signal;

test("a verify-holder learns which groups there are, and opens nothing with all that she has",
  async (t) => {
    await using holder = await openHolder(random);
    const { world, vault } = holder;
    const giver = await openGiver(vault, world);
    const { photos, store, blocks } = giver;
    const side = await giver.open();
    const [ann, ben] = [person("Ann", random), person("Ben", random)];
    const toAnn = takeGrant(ann.keys, await side.given.give(photos, ann.contact));
    const asked = { ...photos, gives: "verify" } as const;
    const grant = await side.given.give(asked, ben.contact);
    t.equal(grant.gives, "verify");
    await refused(t, "Ann reads it", side.given.give(asked, ann.contact), "Exists");
    await refused(t, "a group", side.given.giveGroup(asked, "family"), "Unsupported");
    await side.tell();

    const his = await openReader(ben, vault, world);
    let at = await his.open();
    await at.wards.accept(grant, null);
    t.strictSame(await at.look(), [], "nothing is to be seen");
    t.match(at.wards.wards(), [{ name: "photos", groups: new Set([keptBy]) }]);
    at = await his.open();
    t.match(at.wards.wards(), [{ groups: new Set([keptBy]) }], "over a restart");
    t.strictSame(side.given.list(() => "Ben")[0]?.verifiers, [{ name: "Ben", expiresAt: null }]);

    const { owner } = world.drive;
    const folder = await recordOf(vault, world, toAnn.grant.share);
    t.notOk(parseShare(folder).readers.some((one) => one.person === ben.contact.person));
    const ask = encodeShareAsk({ owner, share: toAnn.grant.share, sequence: 0 });
    await refused(t, "the folder's record", vault.share(his.requester, "get", ask), "Denied");
    const held = takeGrant(ben.keys, grant);
    const watch = parseShare(await recordOf(vault, world, held.grant.share));
    const key = unwrapKey(held.readerKey, watch.readers[0]!.key, watch.sequence);
    const secrets = [held.readerKey, key, writeRightOf(held.readerKey).readerKey,
      ...["share/record", "share/reader", "share/back", "drive/catalog"].flatMap((label) => {
        return [deriveKey(held.readerKey, label), deriveKey(key, label)];
      })];
    t.ok(blocks.size > 4, `${blocks.size} blocks of pages and contents`);
    // The record, as whoever stands in it; and every block of the drive, as a page and as it is.
    for (const secret of secrets) {
      const opener = { ...held, grant: toAnn.grant, readerKey: secret };
      t.equal(await faultOf(() => openShare(opener, folder, 0)), "Denied");
      const asAnn = { ...opener, person: ann.contact.person };
      t.equal(await faultOf(() => openShare(asAnn, folder, 0)), "Corrupt");
      for (const [cid, sealed] of blocks) {
        t.throws(() => openPage(pageKey(secret), cid, sealed), "no page");
        t.throws(() => openOnce(secret, sealed), "no block");
      }
      t.throws(() => openRecord(secret, store.root()!), "nor the root");
    }

    await side.given.revoke(photos, { kind: "person", person: ben.contact.person }, never);
    await side.tell();
    t.strictSame(await side.given.renewing(), [], "he knew nothing that is to be renewed");
    const again = encodeShareAsk({ owner, share: held.grant.share, sequence: 0 });
    await refused(t, "who may no more", vault.share(his.requester, "get", again), "Denied");
  });

function recordOf(
  vault: Vault, world: World, share: ReturnType<typeof parseShare>["share"],
): Promise<Uint8Array> {
  const { owner } = world.drive;
  return vault.share(world.owner, "get", encodeShareAsk({ owner, share, sequence: 0 }));
}

test("a holder takes from a verifier what its owner signed and seated it for, and nothing else",
  async (t) => {
    await using holder = await openHolder(random);
    const { world, vault, piece, maker, as } = holder;
    const [ben, eve] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
    const his = as(personIdOf(ben));
    const lost = world.segment();
    await refused(t, "before he is named", world.store(vault, lost, his), "Denied");
    const { record } = maker.watch(ben, 1, [world.manifest.group]);
    await vault.share(world.owner, "put", record.bytes);
    t.ok(await world.store(vault, lost, his), "a lost shard comes home");
    await refused(t, "another", world.store(vault, world.segment(), as(personIdOf(eve))),
      "Denied");
    const bent = { ...world.segment(), shard: random.bytes(lost.shard.length) };
    await refused(t, "not what was signed", world.store(vault, bent, his), "Corrupt");
    const [self, ...others] = world.members.map((one) => one.peer);
    const newer = world.manifestOf([...others, self!], 2);
    await refused(t, "under a manifest that is not known",
      world.store(vault, world.segment(), his, newer), "Denied");
    const index = (lost.index + 1) % 3;
    const elsewhere = { ...lost, index, shard: lost.shards[index] as Buffer };
    await refused(t, "another's shard", world.store(vault, elsewhere, his), "Denied");
    await refused(t, "a head", vault.putRecord(his, "head", world.head(9)), "Denied");
    await refused(t, "a record", vault.share(his, "put", maker.record(2, [], undefined).bytes), "Denied");
    t.ok((await vault.read(his, piece.id, { offsetBytes: 0, lengthBytes: 64 })).length, "sealed bytes");
  });

/** What looks after a folder on the machine of somebody who acts for this person. */
function tendingBy(world: VaultWorld, who: OwnerId, ward: Ward): Tending {
  const network = world.network.actingFor([who]);
  const shared = { network, clock: systemClock, random, log: silentLog };
  const host = {} as Parameters<typeof wardReach>[0]["host"];
  const reach = wardReach({ ...shared, host, acting: () => [who] });
  return new Tending({ ...shared, reach, coder: openCoder(), wards: () => [ward] });
}

test("lost shards are brought back by who may verify, without a key, while the owner is away",
  { timeout: 120_000 }, async (t) => {
    await using world = await makeVaultWorld(7, seed);
    const transfer = await openWorld(world);
    world.source.commit("root", makeBlocks(random, { count: 60, bytesMax: 30_000 }));
    await transfer.flush(60_000);
    const members = transfer.members();
    const maker = new ShareMaker(random, { drive: world.keys });
    const [ben, eve] = [personKeysOf(random.bytes(32)), personKeysOf(random.bytes(32))];
    const groups = transfer.health.groupsNamed("");
    const tell = async (bytes: Uint8Array) => {
      for (const peer of members) {
        const host = world.network.members.get(peer)!.host as unknown as ShareHost;
        await host.share({ peer: world.network.self, owners: [world.keys.owner] }, "put", bytes);
      }
    };
    const first = maker.watch(ben, 1, groups);
    await tell(first.record.bytes);
    const { groups: told } = openForVerifier(takeGrant(ben, first.grant), first.record.bytes, 0);
    const ward: Ward = {
      name: "photos", owner: world.keys.owner, groups: told, keepers: members.slice(0, 2),
      isTended: true,
    };
    const tending = tendingBy(world, personIdOf(ben), ward);
    const before = await tending.verify("photos", never);
    const all = transfer.health.segments().reduce((sum, { n }) => sum + n, 0);
    t.match(before, { right: all, wrong: 0, absent: 0, missing: 0, brought: 0 });

    const spoilt = world.network.members.get(members[0] as PeerId)!.host as unknown as Vault;
    const lodgings = await spoilt.sample(world.keys.owner, random);
    for (const lodging of lodgings) await spoilt.letGo(lodging);
    const found = await tending.verify("photos", never);
    t.ok(lodgings.length > 0);
    t.match(found, { absent: lodgings.length, brought: lodgings.length, missing: 0 });
    t.match(await tending.verify("photos", never), { right: all, absent: 0, brought: 0 });
    t.match(tending.view("photos"), { right: all }, "and it is remembered");
    await refused(t, "another folder", tending.verify("music", never), "NotFound");

    const hers = tendingBy(world, personIdOf(eve), ward);
    await refused(t, "who is not named", hers.verify("photos", never), "Unavailable");
    const { share, owner } = parseShare(first.record.bytes);
    const { bytes } = signShare({ ...world.keys, owner }, {
      share, sequence: 2, publishedAtMs: 2e12, readers: [], sealed: random.bytes(40),
    });
    await tell(bytes);
    await refused(t, "who may no more", tending.verify("photos", never), "Unavailable");
  });

test("what verifiers are told has the bytes that it always had", async (t) => {
  const { written, maker, reader, grant, record, wrong } =
    letterVectors("sharing-verifiers.json", random);
  t.equal(maker.share, written.folder);
  t.equal(verifiersIdOf(maker.drive.shareSecret, maker.share), written.share);
  t.equal(grant.gives, "verify");
  const { groups } = openForVerifier(takeGrant(reader, grant), record, 0);
  t.strictSame([...groups], ["ab".repeat(16), "cd".repeat(16)] as GroupId[]);
  t.equal(encodeForVerifiers([...groups]).toString("hex"), written.payload);
  for (const { payload, comment } of wrong) {
    t.equal(await faultOf(() => decodeForVerifiers(payload)), "Corrupt", comment);
  }
});
