/** The channel between threads: answers, refusals, cancellation, bytes, and a dead other end. */
import { MessageChannel, Worker } from "node:worker_threads";
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { faultOf } from "../support/faults.ts";
import { Channel, type Handlers } from "../../src/bridge/channel.ts";

function pair(handlers: Handlers): { near: Channel; far: Channel } {
  const { port1, port2 } = new MessageChannel();
  return { near: new Channel(port1, {}), far: new Channel(port2, handlers) };
}

test("a call is answered with the value, bytes included", async (t) => {
  const { near, far } = pair({
    double: (value) => {
      const bytes = (value as { bytes: Uint8Array }).bytes;
      return { list: [Uint8Array.from(bytes.map((byte) => byte * 2))], n: bytes.length };
    },
  });
  const pool = Buffer.from([9, 1, 2, 3, 9]);
  const answer = await near.call("double", { bytes: pool.subarray(1, 4) });
  t.strictSame(answer, { list: [Uint8Array.of(2, 4, 6)], n: 3 });
  t.strictSame([...pool], [9, 1, 2, 3, 9], "the caller's buffer stays its own");
  near.close();
  far.close();
});

test("a fault crosses with its kind, an unknown method is refused", async (t) => {
  const { near, far } = pair({
    fail: () => {
      throw new HiveError("NoSpace", "cache.put", "block");
    },
  });
  t.equal(await faultOf(near.call("fail")), "NoSpace");
  t.equal(await faultOf(near.call("nothing")), "Unsupported");
  near.close();
  far.close();
});

test("a cancelled call rejects at once and reaches the server's signal", async (t) => {
  const seen = Promise.withResolvers<void>();
  const { near, far } = pair({
    wait: (_value, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          seen.resolve();
          reject(signal.reason);
        });
      }),
  });
  const control = new AbortController();
  const call = near.call("wait", undefined, control.signal);
  control.abort(new HiveError("Interrupted", "test", "stop"));
  t.equal(await faultOf(call), "Interrupted");
  await seen.promise;
  near.close();
  far.close();
});

test("a call to a thread that ends is Unavailable, not silent", async (t) => {
  const worker = new Worker("setTimeout(() => process.exit(), 50)", { eval: true });
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(port2, [port2]);
  const channel = new Channel(port1, {});
  const error = await channel.call("anything").catch((fault: unknown) => fault);
  t.ok(isFault(error, "Unavailable"));
  t.equal(await faultOf(channel.call("again")), "Unavailable");
});
