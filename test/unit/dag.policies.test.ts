/** The bytes in which policies of folders are told, frozen, and what damage makes of them. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openChunk, parseLink, sealChunks } from "../../src/dag/chunks.ts";
import { encodeEntry, parseEntry } from "../../src/dag/entries.ts";
import { openJournal, treeKeys } from "../../src/dag/keys.ts";
import { encodeTexts, parseTexts } from "../../src/dag/policies.ts";
import { encodeRoot, openRoot, parseRoot, sealRoot } from "../../src/dag/root.ts";
import { encodeChanges, parseChanges } from "../../src/tree/state/journal.ts";
import { troubleWithDamaged } from "../support/damage.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/dag.policies.test.ts`;
const hex = (text: string) => Buffer.from(text, "hex");

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-policies.json", import.meta.url), "utf8"),
) as {
  readonly secret: string;
  readonly chunkKey: { readonly slot: number; readonly key: string };
  readonly chunk: { readonly plain: string; readonly link: string; readonly sealed: string };
  readonly texts: string;
  readonly root: { readonly plain: string; readonly sealed: string };
  readonly entries: readonly string[];
  readonly journal: { readonly plain: string; readonly sealed: string };
};
const keys = treeKeys(hex(vectors.secret));

test("frozen: a slot's key and chunk, texts, root record, entries and journal", (t) => {
  const { slot, key } = vectors.chunkKey;
  t.equal(keys.chunksOf({ slot }).toString("hex"), key);
  t.strictSame(keys.chunksOf({ slot: 0 }), keys.chunks, "the default's is what it was before there were slots");
  const link = parseLink(hex(vectors.chunk.link));
  const { plain } = openChunk(link, hex(vectors.chunk.sealed));
  t.equal(plain.toString("hex"), vectors.chunk.plain);
  t.equal(sealChunks(keys.chunksOf({ slot }), [plain])[0]?.link.cid, link.cid);
  const root = openRoot(keys, hex(vectors.root.sealed));
  t.match(root.policies, { names: ["europe", "home-2"], resealing: true });
  t.equal(encodeRoot(root).toString("hex"), vectors.root.plain);
  t.strictSame([...parseTexts(hex(vectors.texts)).keys()], ["europe", "home-2"]);
  t.equal(encodeTexts(parseTexts(hex(vectors.texts))).toString("hex"), vectors.texts);
  for (const entry of vectors.entries) {
    t.equal(encodeEntry(parseEntry(hex(entry))).toString("hex"), entry);
  }
  const changes = parseChanges(openJournal(keys, hex(vectors.journal.sealed)));
  t.equal(encodeChanges(changes).toString("hex"), vectors.journal.plain);
  t.end();
});

test("frozen: the secret of a policy's chunks follows from its name, whatever slot it has", (t) => {
  const { secret, chunks } = JSON.parse(
    readFileSync(new URL("../vectors/dag-policy-keys.json", import.meta.url), "utf8"),
  ) as {
    readonly secret: string;
    readonly chunks: readonly (Record<"era" | "salt", number> & Record<"policy" | "key", string>)[];
  };
  const { chunksOf } = treeKeys(hex(secret));
  for (const { policy, era, salt, key } of chunks) {
    for (const slot of [1, 2]) t.equal(chunksOf({ slot, salt }, era, policy).toString("hex"), key);
  }
  t.equal(new Set(chunks.map(({ key }) => key)).size, chunks.length);
  t.end();
});

test("damaged texts, roots, entries and records are Corrupt or well-formed", (t) => {
  const random = seededRandom(`policies ${seed}`);
  const parsers: readonly (readonly [string, string, (bytes: Buffer) => unknown])[] = [
    ["texts", vectors.texts, parseTexts],
    ["root", vectors.root.plain, parseRoot],
    ["entry", vectors.entries[0] as string, parseEntry],
    ["entry of several", vectors.entries[1] as string, parseEntry],
    ["journal", vectors.journal.plain, parseChanges],
  ];
  for (const [what, bytes, parse] of parsers) {
    for (const trouble of troubleWithDamaged(bytes, parse, { random, rounds: 2000 })) {
      t.fail(`${what}: ${trouble}, ${replay}`);
    }
  }
  t.pass();
  t.end();
});

test("a root record from before there were policies opens, whatever room it leaves", (t) => {
  const { policies, ...root } = parseRoot(hex(vectors.root.plain));
  t.equal(policies.names.length, 2);
  const bare = encodeRoot({ ...root, policies: { names: [], texts: undefined, resealing: false } });
  for (let zeros = 0; zeros < 5; zeros++) {
    t.strictSame(parseRoot(Buffer.concat([bare], bare.length + zeros)).policies.names, []);
  }
  t.end();
});

test("a root with all names at their longest is no larger than a root may be", (t) => {
  const { slotsMax } = limits.policy;
  const names = Array.from({ length: slotsMax }, (_, at) => `p${at}`.padEnd(64, "x"));
  const root = parseRoot(hex(vectors.root.plain));
  const values = new Map([["user.x", Buffer.alloc(limits.tree.xattrInsideBytesMax - 20, 1)]]);
  const inode = { ...root.directory.inode, xattrs: { kind: "inside", values } } as const;
  const full = { ...root, directory: { ...root.directory, inode } };
  const large = { ...full, policies: { ...root.policies, names } };
  const sealed = sealRoot(keys, large, seededRandom(seed));
  t.strictSame(openRoot(keys, sealed).policies.names, names);
  t.end();
});
