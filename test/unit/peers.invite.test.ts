/** Invitations: what goes in comes out, and nothing else does. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/peer-key.ts";
import { encodeInvite, parseInvite } from "../../src/peers/peers.ts";
import { faultOf } from "../support/faults.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/peers.invite.test.ts`;

const invite = {
  peer: peerKeysOf(Buffer.alloc(32, 5)).peer,
  addresses: ["/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::1/tcp/4001", "/dns4/hive.example/tcp/1"],
  name: "Ann's attic",
};

test("an invitation survives the post", (t) => {
  const text = encodeInvite(invite);
  t.match(text, /^hive1[1-9A-HJ-NP-Za-km-z]+$/);
  t.ok(text.length < 250, `${text.length} characters`);
  t.strictSame(parseInvite(`  ${text}\n`), invite);
  t.end();
});

test("a mistyped or made-up invitation is Invalid", async (t) => {
  const random = seededRandom(seed);
  const text = encodeInvite(invite);
  for (let round = 0; round < 2000; round++) {
    const at = random.below(text.length);
    const letter = String.fromCharCode(33 + random.below(94));
    const cut = random.below(4) === 0 ? text.slice(0, at) : text.slice(0, at) + letter + text.slice(at + 1);
    if (cut === text) continue;
    try {
      parseInvite(cut);
      t.fail(`${cut} was taken; ${replay}`);
    } catch (error) {
      if (!isFault(error, "Invalid")) t.fail(`${String(error)}; ${replay}`);
    }
  }
  for (const other of ["", "hive1", "hive1".padEnd(5000, "z"), "hive10OIl", "https://hive.example"]) {
    t.equal(await faultOf(() => parseInvite(other)), "Invalid");
  }
  t.equal(await faultOf(() => encodeInvite({ ...invite, addresses: ["/unix/tmp/x"] })), "Invalid");
});
