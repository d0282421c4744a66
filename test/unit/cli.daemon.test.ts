/** A background process that does not get ready: its parent says so and ends, whatever it does. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { root, run, until } from "../support/cli.ts";

test("a parent that has waited long enough ends, though its child goes on", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-daemon-"));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const [script, childFile] = [join(directory, "both.ts"), join(directory, "child")];
  writeFileSync(script, `
    import { writeFileSync } from "node:fs";
    import { startInBackground } from ${JSON.stringify(join(root, "src", "cli", "daemon", "daemon.ts"))};
    if (process.argv[2] === "child") {
      setTimeout(() => process.exit(), 100_000);
      writeFileSync(${JSON.stringify(childFile)}, String(process.pid));
    } else await startInBackground({
      words: ["child"], environment: process.env, logFile: ${JSON.stringify(join(directory, "log"))},
      passphrase: undefined, readyTimeoutMs: 300,
    }).catch((error) => console.log(error.kind));
  `);
  const ran = await run(process.execPath, [script], {});
  t.strictSame([ran.code, ran.out.trim()], [0, "TimedOut"]);
  const child = () => existsSync(childFile) ? Number(readFileSync(childFile, "utf8")) : 0;
  await until(async () => child() > 0, { seconds: 20, what: "its child has begun" });
  t.ok(process.kill(child(), "SIGKILL"), "which goes on after its parent has ended");
});
