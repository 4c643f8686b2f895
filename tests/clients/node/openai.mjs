// The OpenAI SDK: asks what each of the files that are named says, prints a line for each piece, and then the answer.
import { readFileSync, writeSync } from "node:fs";
import OpenAI from "openai";
import { VERSION } from "openai/version";

const client = process.env.OPENAI_BASE_URL ? new OpenAI() : new OpenAI({ baseURL: "https://openrouter.ai/api/v1" });

async function whole(body) {
  const completion = await client.chat.completions.create(body);
  const { content, tool_calls } = completion.choices[0].message;
  const calls = (tool_calls ?? []).map((call) => [call.function.name, call.function.arguments]);
  return { text: content ?? "", calls, tokens: completion.usage.total_tokens };
}

async function streamed(body) {
  const answer = { text: "", calls: [], tokens: 0 };
  for await (const chunk of await client.chat.completions.create(body)) {
    writeSync(1, "piece\n");
    for (const { delta } of chunk.choices) {
      answer.text += delta.content ?? "";
      for (const part of delta.tool_calls ?? []) {
        answer.calls[part.index] ??= [part.function.name, ""];
        answer.calls[part.index][1] += part.function.arguments ?? "";
      }
    }
    answer.tokens = chunk.usage?.total_tokens ?? answer.tokens;
  }
  return answer;
}

writeSync(1, `${VERSION}\0`);
for (const name of process.argv.slice(2)) {
  const body = JSON.parse(readFileSync(name, "utf8"));
  writeSync(1, JSON.stringify(await (body.stream ? streamed(body) : whole(body))) + "\0");
}
