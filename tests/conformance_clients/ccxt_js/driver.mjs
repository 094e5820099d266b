// Make calls with ccxt's JavaScript: reads a call a line, and prints the answer, a line of JSON.
// It is copied beside the client's node_modules. Started with the venue's URL, key, secret.

import readline from "node:readline";
import ccxt from "ccxt";

const [url, key, secret] = process.argv.slice(2);

class Client extends ccxt.binance {
    handleErrors(status, reason, asked, method, headers, text, body, ...more) {
        this.told = { status, body: body === undefined ? text : body };
        return super.handleErrors(status, reason, asked, method, headers, text, body, ...more);
    }
}

function open(call) {
    const client = new Client({ apiKey: call.key ?? key, secret: call.secret ?? secret, enableRateLimit: false });
    client.urls.api.public = `${url}/api/v3`;
    client.urls.api.private = `${url}/api/v3`;
    return client;
}

async function answer(call) {
    const client = open(call);
    const api = call.signed ? "private" : "public";
    try {
        await client.request(call.path, api, call.method, call.send);
        return client.told;
    } catch (error) {
        // It says some refusals in words of its own, by the class of the error.
        return { status: null, ...client.told, code: client.told?.body?.code, raised: error.constructor.name };
    }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
