import { button, element, entries, entry, form, group, log, toggle } from "/gallery/elements.js";

/** Topics to follow, posts to like, and a bell. */
export default function feed({ stage, connect, ask }) {
  const topics = group("Topics");
  const bell = element("output", { className: "muted small", ariaLabel: "Notifications" });
  const posts = entries("Posts");
  const choice = element("select", { ariaLabel: "Topic of the post" });
  const line = form("Post", "Post", post, { maxLength: 140 });
  line.prepend(choice);
  stage.append(topics, bell, posts, line);

  const socket = connect();
  let notifications = 0;
  let missed = 0;
  let isAway = false;

  socket.on("feed", (state) => {
    topics.replaceChildren(...state.topics.map(topicToggle));
    choice.replaceChildren(...state.topics.map((topic) => element("option", {}, topic)));
    posts.replaceChildren(...state.posts.map(item));
  });
  socket.on("post", (each) => {
    if (isAway) missed++;
    log(posts, item(each));
  });
  socket.on("likes", ({ id, likes }) => {
    const count = posts.querySelector(`[data-id="${id}"] button`);
    if (count) count.textContent = `♥ ${likes}`;
  });
  socket.on("notification", (text) => {
    notifications++;
    bell.textContent = `${text} (${notifications})`;
  });
  /** Missed events are delivered before the one that says that the socket is connected. */
  socket.on("disconnect", () => {
    isAway = true;
    missed = 0;
  });
  socket.on("connect", () => {
    if (isAway && socket.recovered) bell.textContent = `Recovered, with ${missed} missed posts`;
    isAway = false;
  });

  function topicToggle(topic) {
    return toggle(`#${topic}`, (isOn) => ask(socket, "follow", { topic, isOn }));
  }
  function item({ id, topic, body, author, likes }) {
    const like = () => ask(socket, "like", id);
    const text = element("p", {}, element("b", {}, author.name), ` #${topic}`, element("br"), body);
    const label = { className: "push", ariaLabel: `Like “${body}”` };
    const made = entry(author.hue, text, button(`♥ ${likes}`, like, label));
    made.dataset.id = id;
    return made;
  }
  function post(body) {
    return ask(socket, "post", { topic: choice.value, body });
  }
}
