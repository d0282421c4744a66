/** Who waits for room, and for how long: in virtual time. */
import { test } from "tap";
import { isFault } from "../../src/base/errors.ts";
import { DirtyRoom } from "../../src/cache/room/dirty-room.ts";
import { handClock } from "../support/temporary-cache.ts";

const fullWaitMs = 1000;
const block = 200_000;

/** Room for ten blocks, all of it taken; time passes when told. */
function fullRoom() {
  let used = 10 * block;
  const clock = handClock();
  const room = new DirtyRoom({ clock, used: () => used }, { bytesMax: 10 * block, fullWaitMs });
  return {
    room,
    enter: () => void (used += block),
    drain() {
      used -= block;
      room.wake();
    },
    async pass(ms: number) {
      clock.pass(ms);
      await Promise.resolve();
    },
  };
}

test("writers of a queue that moves wait as long as the uplink needs", async (t) => {
  const { room, enter, drain, pass } = fullRoom();
  let entered = 0;
  const all = Array.from({ length: 20 }, () => room.wait(block, enter).then(() => entered++));
  for (let turn = 1; turn <= 20; turn++) {
    await pass(fullWaitMs * 0.9);
    drain();
    await Promise.resolve();
    t.equal(entered, turn);
  }
  await Promise.all(all);
});

test("when nobody was let in for the whole wait, all give up, and the next at once", async (t) => {
  const { room, enter, drain, pass } = fullRoom();
  const [first, ...others] = Array.from({ length: 5 }, () => room.wait(block, enter));
  await pass(fullWaitMs / 2);
  drain();
  await first;
  const ends = Promise.allSettled(others);
  await pass(fullWaitMs * 0.6);
  t.equal(room.isExhausted, false, "half a wait has passed since");
  await pass(fullWaitMs * 0.5);
  for (const end of await ends) {
    t.ok(end.status === "rejected" && isFault(end.reason, "NoSpace"));
  }
  t.ok(room.isExhausted);
  try {
    void room.wait(block, enter);
    t.fail("it waits once more");
  } catch (error) {
    t.ok(isFault(error, "NoSpace"));
  }
});

test("a wait through which the process stood still begins anew", async (t) => {
  const { room, enter, pass } = fullRoom();
  const end = room.wait(block, enter).then(() => "entered", (error: unknown) => error);
  await pass(fullWaitMs / 2);
  // Stopped for an hour: the alarm that was due long ago comes now.
  await pass(3_600_000);
  t.equal(room.isExhausted, false, "nobody could make room meanwhile");
  await pass(fullWaitMs / 2);
  t.equal(room.isExhausted, false);
  await pass(fullWaitMs / 2);
  t.ok(isFault(await end, "NoSpace"), "another whole wait in vain");
});
