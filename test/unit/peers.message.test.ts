/** A policy's text in the head of a request: there or not, bounded, and nothing but bytes. */
import { encode } from "@ipld/dag-cbor";
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { type Request, encodeRequest, parseRequest } from "../../src/peers/wire/message.ts";

const plain: Request = {
  op: "store", record: Buffer.from("record"), manifest: Buffer.from("manifest"), index: 3,
};

test("a policy travels with a shard and with a manifest, and may be left out", (t) => {
  const policy = Buffer.alloc(limits.policy.canonicalBytesMax, "p");
  const put: Request = { op: "putRecord", kind: "manifest" };
  for (const request of [plain, { ...plain, policy }, put, { ...put, policy }] as Request[]) {
    const told = parseRequest(encodeRequest(7, request));
    t.equal(told.id, 7);
    t.strictSame(Object.keys(told.request).sort(), Object.keys(request).sort());
    if ("policy" in told.request) t.ok(policy.equals(told.request.policy ?? Buffer.alloc(0)));
  }
  t.ok(encodeRequest(1, { ...plain, policy } as Request).length < limits.peers.headBytesMax);
  t.end();
});

test("a policy that is too long, or no bytes, breaks the protocol", (t) => {
  const long = Buffer.alloc(limits.policy.canonicalBytesMax + 1);
  for (const policy of [long, "a text", 7, null, [1], {}]) {
    for (const request of [{ ...plain, policy }, { op: "putRecord", kind: "manifest", policy }]) {
      try {
        parseRequest(encode({ id: 1, ...request }));
        t.fail(`${typeof policy} was taken`);
      } catch (error) {
        t.ok(isFault(error, "Corrupt"));
      }
    }
  }
  t.end();
});
