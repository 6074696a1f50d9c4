/**
 * A feed. Topics are rooms; each person has a room, too, which has all tabs of the person and gets
 * notifications. What a page misses in a tunnel is sent by connection state recovery.
 */

const { bool, demand, handle, id, oneOf, shape, text } = require("../../input.js");
const { personOf, roomOf } = require("../../people.js");

const AUTHORS = ["ada", "grace", "edsger", "barbara"].map((name) => personOf(`author-${name}`));
const TEXTS = {
  coffee: ["Filter beats everything.", "Third cup. Shaking.", "The milk is off again."],
  trains: ["Platform 4 has moved.", "On time! On time!", "Window seat, left side."],
  space: ["Jupiter is up early.", "The probe says hello.", "Orbit is falling with style."],
};
const TOPICS = Object.keys(TEXTS);
const pick = (values) => values[Math.floor(Math.random() * values.length)];

module.exports = (feed, { every }) => {
  let posts = [];
  const view = ({ likes, ...post }) => ({ ...post, likes: likes.size });

  function publish(author, topic, body = pick(TEXTS[topic])) {
    const post = { id: (posts[0]?.id ?? 0) + 1, topic, body, author, likes: new Set() };
    posts = [post, ...posts].slice(0, 40);
    feed.to(topic).emit("post", view(post));
  }
  for (const topic of TOPICS) publish(pick(AUTHORS), topic);
  function like(person, post) {
    demand(post, "That post is gone");
    post.likes.add(person.key);
    feed.to(post.topic).emit("likes", { id: post.id, likes: post.likes.size });
    feed.to(roomOf(post.author)).emit("notification", `${person.name} likes “${post.body}”`);
  }

  feed.on("connection", (socket) => {
    const { person } = socket.data;
    // A recovered socket has its rooms, and has been sent what it missed.
    if (!socket.recovered) socket.join(TOPICS);
    if (!socket.recovered) socket.emit("feed", { topics: TOPICS, posts: posts.map(view) });

    const topic = oneOf(TOPICS);
    handle(socket, "follow", 10, shape({ topic, isOn: bool }), ({ topic, isOn }) =>
      isOn ? socket.join(topic) : socket.leave(topic),
    );
    const post = shape({ topic, body: text(140) });
    handle(socket, "post", 2, post, ({ topic, body }) => publish(person, topic, body));
    const find = (wanted) => posts.find(({ id }) => id === wanted);
    handle(socket, "like", 5, id, (wanted) => like(person, find(wanted)));
  });

  every(2500, () => {
    const mine = posts.find(({ author, likes }) => !AUTHORS.includes(author) && likes.size < 2);
    if (mine && Math.random() < 0.5) like(pick(AUTHORS), mine);
    else publish(pick(AUTHORS), pick(TOPICS));
  });
};
