/** What the node is told of the policies that folders go by, and when. */
import { test } from "tap";
import type { SlotName, UploadRound } from "../../src/base/blocks.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PolicyQuestion, PolicyReport, PolicyTexts } from "../../src/base/views/policies.ts";
import { Government } from "../../src/bridge/government.ts";

const texts: PolicyTexts = { drive: undefined, named: { home: "policy home {}" }, problem: null };

function world(kept: Record<string, string> = {}) {
  const made = {
    policies: [] as SlotName[],
    told: [] as PolicyTexts[],
    refreshed: 0,
    collections: 0,
    isAway: false,
  };
  const folders = {
    policies: () => made.policies,
    collectSoon: () => void made.collections++,
    policyTexts: async () => {
      if (made.isAway) throw new HiveError("Unavailable", "test", "on peers");
      return new Map(Object.entries(kept));
    },
    refreshPolicyTexts: async () => void made.refreshed++,
    policyAt: async () => ({ name: "home", folder: ["caf\xc3\xa9"] }),
    brake: { isOn: false },
  };
  const node = {
    govern: async (all: PolicyTexts) => void made.told.push(all),
    explainPolicy: async ({ text }: PolicyQuestion) => reportOf(text),
  };
  return Object.assign(made, { folders, node });
}

/** By what it forbids: nobody at all, or nobody and yet to be taken. */
function reportOf(text: string): PolicyReport {
  return {
    name: "p", hash: "", clauses: [], classes: [], class: null, peer: null,
    hopeless: text.includes("forbid") ? "0 of 3" : null,
    unsatisfiable: text.includes("queue") ? "queue" : "refuse",
  };
}

const round = async (): Promise<UploadRound> => ({ root: Buffer.from("root"), blocks: [] });

test("no round begins while the brake is on", async (t) => {
  const { folders, node } = world();
  const government = new Government(texts);
  await government.begin(folders, node);
  folders.brake.isOn = true;
  t.equal(await government.round(round), undefined);
  folders.brake.isOn = false;
  t.ok(await government.round(round));
});

test("no round begins before the tree can say what slots are called", async (t) => {
  const government = new Government(texts);
  t.equal(await government.round(round), undefined);
  const { folders, node } = world();
  await government.begin(folders, node);
  t.strictSame(await government.round(round), await round(), "without folders' policies as ever");
});

test("a round tells its names, and the node has heard of them before", async (t) => {
  const government = new Government(texts);
  const made = world({ europe: "policy europe {}" });
  await government.begin(made.folders, made.node);
  t.strictSame(made.told, [texts]);
  made.policies = [{ slot: 1, name: "home" }, { slot: 2, name: "europe" }];
  t.strictSame((await government.round(round))?.policies, made.policies);
  const { home, europe } = made.told[1]?.named ?? {};
  t.strictSame([home, europe], ["policy home {}", "policy europe {}"], "one from a file, one kept");
  await government.round(round);
  t.equal(made.told.length, 2, "and is not told again what it knows");
  await government.round(round, { stuck: true });
  t.equal(made.collections, 1, "one that is stuck has garbage looked for first");
});

test("the root's policy takes the place of the settings'", async (t) => {
  const government = new Government({ ...texts, drive: "policy all {}" });
  const made = world();
  await government.begin(made.folders, made.node);
  t.equal(made.told[0]?.drive, "policy all {}");
  made.policies = [{ slot: 0, name: "home" }, { slot: 1, name: "home" }];
  await government.round(round);
  t.equal(made.told[1]?.drive, "policy home {}");
});

test("texts that only peers have are told once they are there", async (t) => {
  const government = new Government({ ...texts, named: {} });
  const made = world({ europe: "policy europe {}" });
  made.policies = [{ slot: 1, name: "europe" }];
  made.isAway = true;
  await government.begin(made.folders, made.node);
  t.strictSame(made.told[0]?.named, {});
  made.isAway = false;
  await government.round(round);
  t.strictSame(made.told[1]?.named, { europe: "policy europe {}" });
});

test("an edited file reaches drive and node; a path's policy is shown as a person reads it",
  async (t) => {
    const government = new Government(texts);
    const made = world();
    await government.begin(made.folders, made.node);
    await government.govern({ ...texts, named: { home: "policy home { # edited\n}" } });
    t.equal(made.refreshed, 2);
    t.equal(made.told.at(-1)?.named["home"], "policy home { # edited\n}");
    t.equal(government.textOf("home"), "policy home { # edited\n}");
    t.strictSame(await government.at([]), {
      policy: "home", folder: "/café", text: "policy home { # edited\n}",
    });
  });

test("what refuses and is past hope is told by its name, if anything goes by it", async (t) => {
  const named = {
    home: "forbid", patient: "forbid queue", unused: "forbid", fine: "", lost: "",
  };
  const made = world();
  const government = new Government({ ...texts, drive: undefined, named });
  await government.begin(made.folders, made.node);
  made.policies = ["home", "patient", "fine"].map((name, at) => ({ slot: at + 1, name }));
  t.strictSame([...await government.refusals()], [["home", "0 of 3"]]);
  await government.govern({ ...texts, drive: "forbid", named });
  t.strictSame([...(await government.refusals()).keys()], ["", "home"], "the drive's own");
  made.policies.push({ slot: 0, name: "fine" });
  t.strictSame([...(await government.refusals()).keys()], ["home"], "unless its root has another");
});
