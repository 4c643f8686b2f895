# curl: posts each of the files that are named, and writes what comes back as it comes; NUL ends a section.
set -e
curl --version | head -n 1 | cut -d ' ' -f 2
printf '\0'
[ -n "$OPENROUTER_BASE_URL" ] || OPENROUTER_BASE_URL=https://openrouter.ai/api/v1
for body; do
    curl -sSN "$OPENROUTER_BASE_URL/chat/completions" --data-binary "@$body" \
        -H "Authorization: Bearer $OPENROUTER_API_KEY" -H "Content-Type: application/json"
    printf '\0'
done
