/** Invitations: what goes in comes out, and nothing else does. */
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import type { ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { inviteTo, joinBy } from "../../src/peers/joining.ts";
import { encodeInvite, isPass, parseInvite, passOf } from "../../src/peers/wire/invite.ts";
import { faultOf } from "../support/faults.ts";
import { type TestNode, openTestNode } from "../support/peer-nodes.ts";

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

test("an invitation with a pass, and one with a network's key, survive the post too", (t) => {
  const pass = passOf(Buffer.alloc(64, 7), 1_700_000_000_000);
  const text = encodeInvite({ ...invite, pass });
  t.match(text, /^hive2/);
  t.strictSame(parseInvite(text), { ...invite, pass: { ...pass, token: Buffer.from(pass.token) } });
  const networkKey = Buffer.alloc(32, 9);
  const secret = encodeInvite({ ...invite, pass, networkKey });
  t.match(secret, /^hive3/);
  t.strictSame(parseInvite(secret).networkKey, networkKey);
  t.end();
});

test("a pass is its inviter's, holds for a while, and nobody else makes one", (t) => {
  const [key, other] = [Buffer.alloc(64, 7), Buffer.alloc(64, 8)];
  const nowMs = 1_700_000_000_000;
  const pass = passOf(key, nowMs + limits.peers.inviteMs);
  t.ok(isPass(key, pass, nowMs));
  t.notOk(isPass(other, pass, nowMs), "another's");
  t.notOk(isPass(key, pass, pass.expiresAtMs), "expired");
  t.notOk(isPass(key, { ...pass, expiresAtMs: pass.expiresAtMs + 1 }, nowMs), "prolonged");
  t.notOk(isPass(key, { ...pass, token: pass.token.subarray(1) }, nowMs), "cut");
  const endless = passOf(key, nowMs + 100 * limits.peers.inviteMs);
  t.notOk(isPass(key, endless, nowMs), "of a clock that was wrong");
  t.end();
});

test("who comes by an invite is a friend, and so is who made it; who just comes is none", async (t) => {
  const seen = new Map<string, boolean | undefined>();
  const host = (keys: { readonly peer: string }) => ({
    read: async (from: Requester) => { seen.set(`${keys.peer} ${from.peer}`, from.friend); throw quota(); },
    space: () => ({ quotaBytes: 0, freeBytes: 0 }),
  }) as never;
  const quota = () => new HiveError("Quota", "test", "no");
  await using maker = await openTestNode({ host });
  await using guest = await openTestNode({ host });
  await using other = await openTestNode({ host });
  const nowMs = Date.now();
  const { invite: text } = inviteTo(maker.peers, { name: "maker", nowMs });
  await joinBy(guest.peers, text, nowMs);
  await other.peers.connect(maker.address);
  const ask = (from: TestNode, to: TestNode) => faultOf(from.peers.read(
    to.keys.peer, "cd".repeat(32) as ShardId, { offsetBytes: 0, lengthBytes: 1 },
  ));
  for (const [from, to] of [[guest, maker], [maker, guest], [other, maker]] as const) {
    t.equal(await ask(from, to), "Quota");
  }
  t.equal(seen.get(`${maker.keys.peer} ${guest.keys.peer}`), true);
  t.equal(seen.get(`${guest.keys.peer} ${maker.keys.peer}`), true);
  t.equal(seen.get(`${maker.keys.peer} ${other.keys.peer}`), false);
  const old = joinBy(other.peers, text, nowMs + limits.peers.inviteMs + 1);
  t.equal(await faultOf(old), "Stale", "it is not even tried when it has expired");
});

test("in a private network only those with its key are heard", async (t) => {
  const [key, wrong] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  await using one = await openTestNode({ networkKey: key });
  await using two = await openTestNode({ networkKey: key });
  await using stranger = await openTestNode();
  await using guesser = await openTestNode({ networkKey: wrong });
  t.equal(await two.peers.connect(one.address), one.keys.peer);
  for (const outside of [stranger, guesser]) {
    t.equal(await faultOf(outside.peers.connect(one.address)), "Unavailable");
    t.equal(await faultOf(one.peers.connect(outside.address)), "Unavailable");
  }
  t.strictSame(one.peers.peers().map(({ offer }) => offer.peer), [two.keys.peer]);
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
