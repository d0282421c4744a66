/** Records that are known again by their bytes. */
import { test } from "tap";
import { HiveError } from "../../src/base/errors.ts";
import { knowing } from "../../src/crypt/known.ts";
import { parseOffer, signOffer } from "../../src/crypt/records.ts";
import { loopbackKeys } from "../support/loopback-network.ts";

test("a record is checked once, while it is told again", (t) => {
  let checks = 0;
  const parse = knowing((bytes) => {
    checks++;
    if (bytes[0] === 0) throw new Error("refused");
    return { first: bytes[0] };
  }, { countMax: 2 });
  const one = parse(Buffer.from([1]));
  t.equal(parse(new Uint8Array([1])), one, "the same bytes elsewhere");
  t.equal(checks, 1);
  t.strictSame(parse(Buffer.from([1, 0])), { first: 1 }, "a longer one is another");
  parse(Buffer.from([1]));
  parse(Buffer.from([2]));
  t.equal(checks, 3);
  t.equal(parse(Buffer.from([1])), one, "what is asked for stays");
  parse(Buffer.from([1, 0]));
  t.equal(checks, 4, "what was not goes first");
  for (const _ of [1, 2]) t.throws(() => parse(Buffer.from([0])), "what is refused stays refused");
  t.equal(checks, 6);
  t.end();
});

test("an offer of which one bit is wrong is refused, also when the right one is known", (t) => {
  const claims = { household: "ann", country: "CH", addresses: ["/ip4/127.0.0.1/tcp/1"] };
  const { bytes } = signOffer(loopbackKeys("ann"), {
    atMs: 1_000, ...claims, quotaBytes: 1, freeBytes: 1,
  });
  t.equal(parseOffer(bytes), parseOffer(Buffer.from(bytes)));
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 1;
    t.throws(() => parseOffer(damaged), HiveError);
  }
  t.end();
});
