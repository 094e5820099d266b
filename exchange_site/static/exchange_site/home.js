import { FirstOrder } from "./first_order.js";
import { showPrices } from "./prices.js";
import { showStory } from "./story.js";

const story = document.getElementById("story");
const first = document.getElementById("first-order");
const firstOrder = first && new FirstOrder(first);

if (story) showStory(story);
showPrices(document.getElementById("prices"), (coins) => firstOrder?.offer(coins));
