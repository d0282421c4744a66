/** A machine that has a drive by a code alone, and never its words. */
import type { Test } from "tap";
import { type Heard, type Machine, newMachine } from "./cli.ts";

/** A machine of this name with the drive of that one, mounted. */
export async function added(t: Test, name: string, { desk, peer }: { desk: Machine; peer: string }) {
  const machine = newMachine(name);
  t.teardown(() => machine.end());
  const shown = Promise.withResolvers<string>();
  const hear: Heard = (text, to) => to === "out" && shown.resolve(text);
  const adding = machine.hive(["device", "add", "--peer", peer], undefined, hear);
  await desk.must(t, ["device", "confirm", (await shown.promise).trim()]);
  const { code, error } = await adding;
  t.equal(code, 0, error);
  await machine.must(t, ["mount", machine.mount]);
  return machine;
}
