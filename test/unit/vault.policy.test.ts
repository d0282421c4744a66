/** A holder checks the owner's policy for itself: what it knows to be wrong it refuses. */
import { type Test, test } from "tap";
import type { KnownPeer } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { type Manifest, type Offer, erasureClasses } from "../../src/base/records.ts";
import { signManifest, signOffer } from "../../src/crypt/records/records.ts";
import { canonicalPolicy, hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { parsePolicy } from "../../src/placement/language/policy-parse.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { World, refused } from "../contract/host.ts";
import { openHouse } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.policy`);

interface Told {
  readonly clauses: string;
  /** Of the three members, the host first; undefined for one that nobody has heard of. */
  readonly countries: readonly (string | undefined)[];
  readonly household?: string;
}

class Scene {
  readonly world = new World(random);
  readonly text: Buffer;
  readonly manifest: Manifest;
  readonly offers: readonly (Offer | undefined)[];

  constructor({ clauses, countries, household }: Told) {
    const { policy } = parsePolicy(`policy p { ${clauses} }`);
    const { drive, members } = this.world;
    this.text = Buffer.from(canonicalPolicy(policy));
    this.manifest = signManifest(drive, {
      group: this.world.manifest.group, epoch: 1, class: erasureClasses[0]!,
      policyHash: hashOfPolicy(policy), peers: members.map(({ peer }) => peer),
    });
    this.offers = members.map((keys, at) => {
      const country = countries[at];
      if (country === undefined && at > 0) return undefined;
      return signOffer(keys, {
        atMs: 1, household: household ?? `house ${at}`, country, addresses: [],
        quotaBytes: 2 ** 30, freeBytes: 2 ** 30,
      });
    });
  }

  open() {
    const neighbours = {
      offer: () => this.offers[0],
      peers: () => this.offers.slice(1).flatMap((offer): KnownPeer[] => {
        return offer === undefined ? [] : [{ offer, online: true, roundTripMs: 1, lastSeenMs: 1 }];
      }),
    };
    return openHouse(this.world.holder, { neighbours });
  }
}

/** What becomes of a shard, and of the manifest alone, with the text and without it. */
async function offered(t: Test, told: Told, outcome: "taken" | "Denied"): Promise<void> {
  const scene = new Scene(told);
  const { world, manifest, text: policy } = scene;
  await using house = await scene.open();
  const { record, index, shard } = world.segment();
  const request = { record: record.bytes, manifest: manifest.bytes, index, policy };
  const { clauses } = told;
  const store = house.vault.store(world.owner, request, shard);
  if (outcome === "taken") t.ok((await store).length > 0, clauses);
  else await refused(t, clauses, store, "Denied");
  const put = house.vault.putRecord(world.owner, "manifest", manifest.bytes, policy);
  if (outcome === "taken") t.equal(await put, undefined, clauses);
  else await refused(t, clauses, put, "Denied");
  t.equal(house.vault.usage().shards, outcome === "taken" ? 1 : 0, clauses);
}

test("a holder refuses what the policy does not let it have", async (t) => {
  const countries = ["US", "DE", "DE"];
  await offered(t, { clauses: "require region in EU;", countries }, "Denied");
  await offered(t, { clauses: "forbid country in US;", countries }, "Denied");
  await offered(t, { clauses: "require country in US;", countries }, "taken");
  await offered(t, { clauses: 'forbid household in "house 0";', countries }, "Denied");
});

test("it knows where it is, whatever evidence others would ask of it", async (t) => {
  const clauses = "require region in EU; evidence location >= rtt;";
  await offered(t, { clauses, countries: ["US", "DE", "DE"] }, "Denied");
  await offered(t, { clauses, countries: ["FR", "DE", "DE"] }, "taken");
});

test("what it does not know is no reason to refuse", async (t) => {
  const countries = [undefined, "DE", "DE"];
  await offered(t, { clauses: "require region in EU;", countries }, "taken");
  await offered(t, { clauses: "require asn in 64496;", countries }, "taken");
  await offered(t, { clauses: "require rtt(me) <= 1 ms;", countries }, "taken");
});

test("caps over the group hold as far as it has heard of the others", async (t) => {
  const clauses = "spread max 1 per country;";
  await offered(t, { clauses, countries: ["DE", "FR", "NL"] }, "taken");
  await offered(t, { clauses, countries: ["DE", "FR", "DE"] }, "Denied");
  await offered(t, { clauses, countries: ["DE", undefined, undefined] }, "taken");
  await offered(t, { clauses, countries: [undefined, "DE", "FR"] }, "taken");
  await offered(t, { clauses, countries: ["DE", "FR", "FR"] }, "taken");
  const one = { clauses: "require region in EU;", countries: ["DE", "FR", "NL"] };
  await offered(t, { ...one, household: "all of one house" }, "Denied");
});

test("a text that is not the manifest's is refused, and so is one that is too long", async (t) => {
  const scene = new Scene({ clauses: "require region in EU;", countries: ["DE", "DE", "DE"] });
  const { world, manifest, text } = scene;
  await using house = await scene.open();
  const { record, index, shard } = world.segment();
  for (const policy of [
    Buffer.from("hive-policy 1\nclass auto;\n"), Buffer.alloc(0), Buffer.alloc(2 ** 20, " "),
    Buffer.concat([text, Buffer.from("\n")]),
  ]) {
    const request = { record: record.bytes, manifest: manifest.bytes, index, policy };
    await refused(t, "store", house.vault.store(world.owner, request, shard), "Invalid");
    const put = house.vault.putRecord(world.owner, "manifest", manifest.bytes, policy);
    await refused(t, "manifest", put, "Invalid");
  }
  t.equal(house.vault.usage().shards, 0);
});

test("without a text it is as before; once it came, it counts for requests without one", async (t) => {
  const scene = new Scene({ clauses: "require region in EU;", countries: ["US", "DE", "DE"] });
  const { world, manifest, text: policy } = scene;
  await using house = await scene.open();
  const piece = world.segment();
  t.ok((await world.store(house.vault, piece, world.owner, manifest)).length > 0);
  const put = house.vault.putRecord(world.owner, "manifest", manifest.bytes, policy);
  await refused(t, "with it", put, "Denied");
  const again = world.store(house.vault, world.segment(), world.owner, manifest);
  await refused(t, "it is known now", again, "Denied");
});

test("what takes the seat away is heard, whatever the policy says", async (t) => {
  const scene = new Scene({ clauses: "require region in EU;", countries: ["US", "DE", "DE"] });
  const { world, manifest, text: policy } = scene;
  await using house = await scene.open();
  await world.store(house.vault, world.segment(), world.owner, manifest);
  const { group, class: erasureClass, policyHash } = manifest;
  const peers = [new World(random).holder.peer, ...manifest.peers.slice(1)];
  const next = signManifest(world.drive, {
    group, epoch: 2, class: erasureClass, policyHash, peers,
  });
  await house.vault.putRecord(world.owner, "manifest", next.bytes, policy);
  const told = await house.vault.records(world.owner, world.drive.owner);
  t.ok(Buffer.from(told.manifests[0] ?? []).equals(next.bytes));
});

test("a policy in the words of a later version is no reason to refuse", async (t) => {
  const scene = new Scene({ clauses: "", countries: ["US", "DE", "DE"] });
  const { world } = scene;
  await using house = await scene.open();
  const text = Buffer.from("hive-policy 3\nclass auto;\nrequire phase of moon;\n");
  const { createHash } = await import("node:crypto");
  const manifest = signManifest(world.drive, {
    group: world.manifest.group, epoch: 1, class: erasureClasses[0]!,
    policyHash: createHash("sha256").update(text).digest("hex"), peers: scene.manifest.peers,
  });
  const { record, index, shard } = world.segment();
  const request = { record: record.bytes, manifest: manifest.bytes, index, policy: text };
  t.ok((await house.vault.store(world.owner, request, shard)).length > 0);
});

test("a policy that comes back, after another or the built-in one, has its text here again", async (t) => {
  const scene = new Scene({ clauses: "require region in EU;", countries: ["DE", "DE", "DE"] });
  const other = new Scene({ clauses: "require country in DE;", countries: ["DE", "DE", "DE"] });
  const { world, manifest, text } = scene;
  const { group, class: erasureClass, policyHash, peers } = manifest;
  await using house = await scene.open();
  const turns = [
    { policyHash, text }, { policyHash: other.manifest.policyHash, text: other.text },
    { policyHash, text }, { policyHash: hashOfPolicy(defaultPolicy), text: undefined },
    { policyHash, text },
  ];
  for (const [at, turn] of turns.entries()) {
    const told = signManifest(world.drive, {
      group, epoch: at + 1, class: erasureClass, policyHash: turn.policyHash, peers,
    });
    await house.vault.putRecord(world.owner, "manifest", told.bytes, turn.text);
    t.ok(await house.vault.shelf.policyOf(told), `epoch ${at + 1}`);
  }
});
