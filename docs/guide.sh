#!/bin/sh
# The commands of docs/guide.md, made from it by `task docs`. Run it while `task dev` runs: sh docs/guide.sh
# Another address: api=http://127.0.0.1:8001/api/v1 sh docs/guide.sh
set -eu

api=${api:-http://127.0.0.1:8000/api/v1}
json="Content-Type: application/json"
name=alice-$(date +%s)
field() { echo "$2" | python3 -c "import json, sys; answer = json.load(sys.stdin); print(answer.get('$1') or sys.exit(str(answer)))"; }
call() { curl --silent --show-error "$@" && echo; }

curl --silent --output /dev/null "$api/exchanges/crypto-currencies/" || {
    echo "Nothing answers at $api. Run 'task dev' first, or name another address, as this script's third line does." >&2
    exit 1
}

printf '\n%s\n' '== Sign up'
tokens=$(call $api/accounts/auth/register/ -H "$json" -d '{"username": "'$name'", "password": "password123"}'); echo "$tokens"
refresh=$(field refresh "$tokens")
auth="Authorization: Bearer $(field access "$tokens")"

printf '\n%s\n' '== Deposit'
call -X PATCH $api/accounts/wallet/deposit/ -H "$auth" -H "$json" -d '{"amount": "100"}'

printf '\n%s\n' '== See the coins on sale'
call $api/exchanges/crypto-currencies/

printf '\n%s\n' '== Buy'
order=$(call $api/orders/ -H "$auth" -H "$json" -d '{"crypto": "ABAN", "amount": "2"}'); echo "$order"
for change in settling completed; do call "$api/orders/$(field id "$order")/?wait=20" -H "$auth"; done

printf '\n%s\n' '== A firm price'
quote=$(call $api/quotes/ -H "$auth" -H "$json" -d '{"crypto": "ABAN", "amount": "1"}'); echo "$quote"
order=$(call $api/orders/ -H "$auth" -H "$json" -d '{"quote": "'$(field quote "$quote")'"}')
for change in settling completed; do call "$api/orders/$(field id "$order")/?wait=20" -H "$auth"; done

printf '\n%s\n' '== Small orders and the pool'
order=$(call $api/orders/ -H "$auth" -H "$json" -d '{"crypto": "ABAN", "total": "5"}'); echo "$order"

printf '\n%s\n' '== Cancel'
call -X POST $api/orders/$(field id "$order")/cancel/ -H "$auth"

printf '\n%s\n' '== Withdraw'
call -X PATCH $api/accounts/wallet/withdraw/ -H "$auth" -H "$json" -H "Idempotency-Key: rent" -d '{"amount": "25"}'

printf '\n%s\n' '== Transactions'
page=$(call -i "$api/transactions/?type=withdrawal&limit=2" -H "$auth"); echo "$page"
next=$(echo "$page" | sed -n 's/^[Ll]ink: <\(.*\)>.*/\1/p')
call -i "$next" -H "$auth"
call "$api/transactions/?type=deposit&limit=1&envelope=true" -H "$auth"

printf '\n%s\n' '== Holdings'
call $api/accounts/holdings/ -H "$auth"

printf '\n%s\n' '== Repeat a request safely'
call -i -X PATCH $api/accounts/wallet/withdraw/ -H "$auth" -H "$json" -H "Idempotency-Key: rent" -d '{"amount": "25"}'
call -X PATCH $api/accounts/wallet/withdraw/ -H "$auth" -H "$json" -H "Idempotency-Key: rent" -d '{"amount": "30"}'

printf '\n%s\n' '== Errors'
call -i $api/orders/ -H "$auth" -H "$json" -d '{"crypto": "ABAN", "amount": "-1", "colour": "red"}'

printf '\n%s\n' '== Limits'
call -i $api/accounts/wallet/ -H "$auth"
for attempt in 1 2 3 4 5 6; do call -i $api/accounts/auth/login/ -H "$json" -d '{"username": "nobody", "password": "?"}'; done

printf '\n%s\n' '== Stay signed in, and sign out'
call $api/accounts/auth/refresh/ -H "$json" -d '{"refresh": "'$refresh'"}'
call $api/accounts/auth/refresh/ -H "$json" -d '{"refresh": "'$refresh'"}'
tokens=$(call $api/accounts/auth/login/ -H "$json" -d '{"username": "'$name'", "password": "password123"}'); echo "$tokens"
auth="Authorization: Bearer $(field access "$tokens")"
call $api/accounts/auth/logout/ -H "$auth" -H "$json" -d '{"refresh": "'$(field refresh "$tokens")'"}'
call $api/accounts/wallet/ -H "$auth"
