/** The bytes in which a drive's kept roots are told, frozen, and what damage makes of them. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import { encodeKept, parseKept } from "../../src/dag/kept.ts";
import { encodeRoot, parseRoot } from "../../src/dag/root.ts";
import { troubleWithDamaged } from "../support/damage.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/dag.kept.test.ts`;
const hex = (text: string) => Buffer.from(text, "hex");
const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-kept.json", import.meta.url), "utf8"),
) as { readonly kept: string; readonly root: string };

test("frozen: a list of kept roots, and a root record that links one", (t) => {
  const kept = parseKept(hex(vectors.kept));
  t.match(kept, [
    { untilMs: 1795341660000, why: "rule", root: { sequence: 1, committedAtMs: 1795341600000 } },
    { untilMs: 1795341720000, why: "asked", place: 2, root: { sequence: 2 } },
    { untilMs: 1795341780000, why: "brake", root: { sequence: 3 } },
  ]);
  t.equal(encodeKept(kept).toString("hex"), vectors.kept);
  const root = parseRoot(hex(vectors.root));
  t.match(root.kept, { lengthBytes: hex(vectors.kept).length });
  t.strictSame(root.policies.names, [], "a drive may have kept roots and no policies");
  t.equal(encodeRoot(root).toString("hex"), vectors.root);
  t.end();
});

test("damaged lists and roots are Corrupt or well-formed", (t) => {
  const random = seededRandom(`kept ${seed}`);
  for (const [bytes, parse] of [[vectors.kept, parseKept], [vectors.root, parseRoot]] as const) {
    for (const trouble of troubleWithDamaged(bytes, parse, { random, rounds: 2000 })) {
      t.fail(`${trouble}, ${replay}`);
    }
  }
  t.pass();
  t.end();
});
