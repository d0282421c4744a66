/** A background process that does not get ready: its parent says so and ends, whatever it does. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { root, run } from "../support/cli.ts";

test("a parent that has waited long enough ends, though its child goes on", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-daemon-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const script = join(directory, "both.ts");
  writeFileSync(script, `
    import { startInBackground } from ${JSON.stringify(join(root, "src", "cli", "daemon.ts"))};
    if (process.argv[2] === "child") setTimeout(() => process.exit(), 8_000);
    else await startInBackground({
      words: ["child"], environment: process.env, logFile: ${JSON.stringify(join(directory, "log"))},
      passphrase: undefined, readyTimeoutMs: 300,
    }).catch((error) => console.log(error.kind));
  `);
  const start = performance.now();
  const ran = await run(process.execPath, [script], {});
  t.strictSame([ran.code, ran.out.trim()], [0, "TimedOut"]);
  t.ok(performance.now() - start < 7_000, "before its child has ended");
});
