/** The socket of a daemon that is there and says nothing, as one that was killed and is held. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import type { HiveError } from "../../src/base/errors.ts";
import { hintOf } from "../../src/cli/hints.ts";
import { askControl, askStatus } from "../../src/cli/daemon/control.ts";

test("a daemon that does not say how it is keeps nobody waiting for ever", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-control-"));
  const path = join(directory, "socket");
  const silent = createServer((socket) => void socket.on("error", () => {}));
  t.teardown(() => {
    silent.close();
    rmSync(directory, { recursive: true });
  });
  await new Promise<void>((listening) => silent.listen(path, listening));
  const fault = await askStatus(path, 50).then(() => undefined, (error: unknown) => error);
  t.match(fault, { kind: "TimedOut", op: "control.silent" });
  t.match(hintOf(fault as HiveError, "status"), /umount -f/);
});

test("what no daemon would read is not sent to it", async (t) => {
  const asked = askControl("/nowhere", "accept", { grant: "x".repeat(65536) });
  t.match(await asked.catch((error: unknown) => error), { kind: "TooLarge", op: "control.request" });
});
