/** Range statements and echoes: the frozen bytes, and no others. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf, peerOfPublicKey } from "../../src/crypt/ciphers/peer-key.ts";
import { isEcho, parseRange, signEcho, signRange } from "../../src/crypt/records/range.ts";
import { parseReceipt } from "../../src/crypt/records/records.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/crypt.range.test.ts`;

interface Vectors {
  readonly verifierSeed: string;
  readonly targetSeed: string;
  readonly verifier: string;
  readonly target: string;
  readonly at: number;
  readonly trip: number;
  readonly country: string;
  readonly cases: readonly { comment: string; bytes: string; expect: string }[];
  readonly echo: { readonly nonce: string; readonly echo: string };
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/crypt.range.json", import.meta.url), "utf8"),
) as Vectors;
const verifier = peerKeysOf(Buffer.from(vectors.verifierSeed, "hex"));
const target = peerKeysOf(Buffer.from(vectors.targetSeed, "hex"));

test("a frozen statement is read as ever, and what only looks like one is Corrupt", (t) => {
  for (const { comment, bytes, expect } of vectors.cases) {
    t.equal(outcomeOf(bytes), expect, comment);
  }
  t.equal(verifier.peer, peerOfPublicKey(Buffer.from(vectors.verifier, "hex")));
  t.equal(target.peer, peerOfPublicKey(Buffer.from(vectors.target, "hex")));
  const { at: atMs, trip: tripUs, country } = vectors;
  const made = signRange(verifier, { target: target.peer, atMs, tripUs, country });
  t.equal(Buffer.from(made.bytes).toString("hex"), vectors.cases[0]?.bytes);
  t.strictSame(parseRange(made.bytes), made);
  t.throws(() => parseReceipt(made.bytes), "and it is no record of another kind");
  t.end();
});

test("a frozen echo is right, and made again", (t) => {
  const nonce = Buffer.from(vectors.echo.nonce, "hex");
  const echo = Buffer.from(vectors.echo.echo, "hex");
  t.ok(isEcho({ nonce, verifier: verifier.peer, target: target.peer }, echo));
  t.strictSame(Buffer.from(signEcho(target, verifier.peer, nonce)), echo);
  t.end();
});

test("bent statements are Corrupt", (t) => {
  const random = seededRandom(`crypt.range/${seed}`);
  const right = Buffer.from(vectors.cases[0]?.bytes ?? "", "hex");
  for (let round = 0; round < 600; round++) {
    const bent = Buffer.from(right);
    const at = random.below(bent.length);
    bent[at] = (bent[at] as number) ^ (1 + random.below(255));
    const cut = round % 3 === 0 ? bent.subarray(0, random.below(bent.length)) : bent;
    const outcome = outcomeOf(cut.toString("hex"));
    if (outcome !== "Corrupt") t.fail(`${outcome} at ${at}; ${replay}`);
  }
  t.end();
});

function outcomeOf(hex: string): string {
  try {
    parseRange(Buffer.from(hex, "hex"));
    return "ok";
  } catch (error) {
    return isFault(error) ? error.kind : String(error);
  }
}
