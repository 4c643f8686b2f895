// fetch: posts each of the files that are named, and writes what comes back as it comes; NUL ends a section.
import { readFileSync, writeSync } from "node:fs";

const base = process.env.OPENROUTER_BASE_URL ?? "https://openrouter.ai/api/v1";
writeSync(1, `${process.versions.node}\0`);
for (const name of process.argv.slice(2)) {
  const response = await fetch(`${base}/chat/completions`, {
    method: "POST",
    headers: { Authorization: `Bearer ${process.env.OPENROUTER_API_KEY}`, "Content-Type": "application/json" },
    body: readFileSync(name),
  });
  for await (const piece of response.body) writeSync(1, piece);
  writeSync(1, "\0");
}
