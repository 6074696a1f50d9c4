"use strict";

/**
 * A feed. Topics are rooms; each person has a room, too, which has all tabs of the person and gets
 * notifications. What a page misses in a tunnel is sent by connection state recovery.
 */

const { demand, handle, integer, oneOf, shape, text } = require("../../input.js");
const { personOf, roomOf } = require("../../people.js");

const TOPICS = ["coffee", "trains", "space"];
const AUTHORS = ["ada", "grace", "edsger", "barbara"].map((name) => personOf(`author-${name}`));
const TEXTS = {
  coffee: ["Filter beats everything.", "Third cup. Shaking.", "The milk is off again."],
  trains: ["Platform 4 has moved.", "On time! On time!", "Window seat, left side."],
  space: ["Jupiter is up early.", "The probe says hello.", "Orbit is just falling with style."],
};
const pick = (values) => values[Math.floor(Math.random() * values.length)];

module.exports = (feed, { every }) => {
  let posts = [];
  let lastId = 0;

  function publish(author, topic, body) {
    const post = { id: ++lastId, topic, body, author, likes: new Set() };
    posts = [post, ...posts].slice(0, 40);
    feed.to(topic).emit("post", view(post));
  }
  const view = ({ likes, ...post }) => ({ ...post, likes: likes.size });
  for (const topic of TOPICS) publish(pick(AUTHORS), topic, pick(TEXTS[topic]));

  function like(person, post) {
    post.likes.add(person.key);
    feed.to(post.topic).emit("likes", { id: post.id, likes: post.likes.size });
    feed.to(roomOf(post.author)).emit("notification", `${person.name} likes “${post.body}”`);
  }

  feed.on("connection", (socket) => {
    const { person } = socket.data;
    // A recovered socket has its rooms, and gets what it has missed.
    if (!socket.recovered) {
      socket.join(TOPICS);
      socket.emit("feed", { topics: TOPICS, posts: posts.map(view) });
    }
    handle(
      socket,
      "follow",
      10,
      shape({ topic: oneOf(TOPICS), isOn: oneOf([true, false]) }),
      (wish) => {
        if (wish.isOn) socket.join(wish.topic);
        else socket.leave(wish.topic);
      },
    );
    handle(socket, "post", 2, shape({ topic: oneOf(TOPICS), body: text(140) }), (post) => {
      publish(person, post.topic, post.body);
    });
    handle(socket, "like", 5, integer(1, Number.MAX_SAFE_INTEGER), (id) => {
      const post = posts.find((each) => each.id === id);
      demand(post, "That post is gone");
      like(person, post);
    });
  });

  every(2500, () => {
    const mine = posts.find(({ author, likes }) => !AUTHORS.includes(author) && likes.size < 2);
    if (mine && Math.random() < 0.5) return like(pick(AUTHORS), mine);
    const topic = pick(TOPICS);
    publish(pick(AUTHORS), topic, pick(TEXTS[topic]));
  });
};
