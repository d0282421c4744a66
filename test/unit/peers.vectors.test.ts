/** Frozen bytes of invites, greetings and slots: what other machines have must stay readable. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { parseOffer } from "../../src/crypt/records/records.ts";
import { encodeSlot, parseSlot, parseSlotKey, slotDepths, slotKey, slotOf }
  from "../../src/peers/dht/slots.ts";
import { encodeInvite, isPass, parseInvite, passOf } from "../../src/peers/wire/invite.ts";
import { encodeHello, parseHello } from "../../src/peers/wire/message.ts";

interface Frozen {
  readonly peerSeed: string;
  readonly invite: { readonly peer: string; readonly name: string; readonly addresses: string[] };
  readonly expiresAtMs: number;
  readonly token: string;
  readonly networkKey: string;
  readonly texts: Readonly<Record<"hive1" | "hive2" | "hive3", string>>;
  readonly slots: readonly string[];
  readonly offer: string;
  readonly slot: string;
  readonly hello: string;
  readonly oldHello: string;
}

const frozen = JSON.parse(
  readFileSync(new URL("../vectors/peers.json", import.meta.url), "utf8"),
) as Frozen;
const keys = peerKeysOf(Buffer.from(frozen.peerSeed, "hex"));
const bytes = (hex: string) => Buffer.from(hex, "hex");

test("invites of all versions are read and written as they are frozen", (t) => {
  const pass = passOf(keys.privateKeyRaw, frozen.expiresAtMs);
  t.equal(Buffer.from(pass.token).toString("hex"), frozen.token);
  t.ok(isPass(keys.privateKeyRaw, pass, frozen.expiresAtMs - 1));
  const networkKey = bytes(frozen.networkKey);
  const told = { hive1: {}, hive2: { pass }, hive3: { pass, networkKey } };
  for (const [version, more] of Object.entries(told)) {
    const text = frozen.texts[version as keyof Frozen["texts"]];
    const parsed = parseInvite(text);
    t.ok(text.startsWith(version));
    t.equal(encodeInvite({ ...parsed, ...more }), text);
    t.strictSame({ peer: parsed.peer, name: parsed.name, addresses: parsed.addresses }, frozen.invite);
    t.equal(parsed.pass?.expiresAtMs, version === "hive1" ? undefined : frozen.expiresAtMs);
    t.equal(parsed.networkKey?.length, version === "hive3" ? 32 : undefined);
  }
  t.end();
});

test("a peer's slots are those that others look into", (t) => {
  const offer = parseOffer(bytes(frozen.offer));
  const slots = ["--", "CH"].flatMap((place) => {
    return [...slotDepths.keys()].map((depth) => slotKey(slotOf(keys.peer, { place, depth })));
  });
  t.strictSame(slots, frozen.slots);
  for (const text of slots) {
    const slot = parseSlotKey(text);
    t.equal(parseSlot(slot!, bytes(frozen.slot))[0]?.peer, keys.peer);
  }
  t.equal(Buffer.from(encodeSlot([offer])).toString("hex"), frozen.slot);
  t.end();
});

test("a greeting with a pass and one of before are both read", (t) => {
  const offer = bytes(frozen.offer);
  const pass = passOf(keys.privateKeyRaw, frozen.expiresAtMs);
  t.equal(Buffer.from(encodeHello([], offer, pass)).toString("hex"), frozen.hello);
  t.equal(parseHello(bytes(frozen.hello)).pass?.expiresAtMs, frozen.expiresAtMs);
  t.equal(parseHello(bytes(frozen.oldHello)).pass, undefined);
  t.ok(Buffer.from(parseHello(bytes(frozen.oldHello)).offer!).equals(offer));
  t.end();
});
