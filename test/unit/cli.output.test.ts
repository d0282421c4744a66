/** What is printed steers no terminal, and says the same to a program as before. */
import { test } from "tap";
import { harmless, oneLine, table } from "../../src/cli/output.ts";

test("signs that steer a terminal are shown", (t) => {
  const steering = "a\u001b[2Jb\u0007\u009bc\u007f\r";
  t.equal(harmless(steering), "a\\u001b[2Jb\\u0007\\u009bc\\u007f\\u000d");
  t.equal(harmless("żółć 日本\n\tx"), "żółć 日本\n\tx");
  t.equal(oneLine("new\nline\t"), "new\\u000aline\\u0009");
  const value = { path: "a\u001b\u009b\u007f\nb" };
  t.strictSame(JSON.parse(harmless(JSON.stringify(value))), value, "JSON means the same");
  t.equal(table(["name", "size"], [["x\ny", "1"]]), "name      size\nx\\u000ay  1");
  t.end();
});
