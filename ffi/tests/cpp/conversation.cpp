// A conversation through sandi.hpp, with a store of this program's own; then a group, files, and threads. Talks to a
// peer through tests/relay.py.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>
#include <thread>

#include "sandi.hpp"

#define CHECK(condition)                                                                         \
  do {                                                                                           \
    if (!(condition)) {                                                                          \
      std::cerr << __FILE__ << ":" << __LINE__ << ": " << #condition << std::endl;               \
      std::exit(1);                                                                              \
    }                                                                                            \
  } while (0)

namespace {

using Raw = std::vector<std::uint8_t>;

std::uint64_t now() {
  using namespace std::chrono;
  return static_cast<std::uint64_t>(duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

/// Records in a map. Fails when it is told to.
class Map : public sandi::RecordStore {
 public:
  static inline std::atomic<int> alive{0};
  bool* fails;

  explicit Map(bool* fails) : fails(fails) { alive++; }
  ~Map() override { alive--; }

  std::optional<sandi::Record> load(std::string_view key) override {
    if (*fails) throw std::runtime_error("the disk is gone");
    const auto found = records_.find(std::string(key));
    if (found == records_.end()) return std::nullopt;
    return found->second;
  }

  bool commit(const std::vector<sandi::Change>& changes) override {
    if (*fails) throw std::runtime_error("the disk is gone");
    for (const auto& change : changes) {
      const auto found = records_.find(std::string(change.key));
      if ((found == records_.end() ? 0 : found->second.revision) != change.expected_revision) return false;
    }
    for (const auto& change : changes) {
      if (change.write == SANDI_WRITE_DELETE) records_.erase(std::string(change.key));
      if (change.write != SANDI_WRITE_PUT) continue;
      records_[std::string(change.key)] = {change.new_revision,
                                           Raw(change.bytes.data, change.bytes.data + change.bytes.size)};
    }
    return true;
  }

 private:
  std::map<std::string, sandi::Record> records_;
};

template <class F>
SandiStatus status_of(F call) {
  try {
    call();
    return SANDI_STATUS_OK;
  } catch (const sandi::Error& error) {
    CHECK(error.what()[0] != 0);
    return error.status();
  }
}

// ---- the relay ----

std::string hex(sandi::Bytes bytes) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < bytes.size; i++) {
    out += digits[bytes.data[i] >> 4];
    out += digits[bytes.data[i] & 15];
  }
  return out;
}

Raw unhex(const std::string& text) {
  Raw out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
  return out;
}

std::istringstream ask(const std::string& request) {
  std::cout << request << std::endl;
  std::string line, word;
  CHECK(std::getline(std::cin, line));
  std::istringstream answer(line);
  answer >> word;
  CHECK(word == "ok");
  return answer;
}

const sandi::Address ME{"a11ce000-0000-4000-8000-000000000001", 1};
sandi::Address peer;

void send(sandi::Device& device, const std::string& text, std::uint32_t type) {
  const auto sent = device.encrypt(peer, text, now());
  CHECK(sent.message_type == type);
  std::string plaintext;
  ask("deliver " + std::to_string(sent.message_type) + " " + hex(sent.bytes)) >> plaintext;
  CHECK(plaintext == hex(text));
}

void receive(sandi::Device& device, const std::string& text) {
  std::uint32_t type;
  std::string bytes;
  ask("receive " + hex(text)) >> type >> bytes;
  auto received = device.decrypt(peer, type, unhex(bytes), now());
  CHECK(received.plaintext().view() == text);
  CHECK(received.sender() == peer);
  received.commit();
  CHECK(status_of([&] { device.decrypt(peer, type, unhex(bytes), now()); }) == SANDI_STATUS_DUPLICATED_MESSAGE);
}

void conversation() {
  bool fails = false;
  {
    const auto store = sandi::Store::of(std::make_unique<Map>(&fails));
    auto options = sandi::default_options();
    options.one_time = options.one_time_kem = 2;
    options.refill_below = 1;
    auto device = sandi::Device::create(store, {ME}, options);
    CHECK(status_of([&] { sandi::Device::create(store, {ME}); }) == SANDI_STATUS_ALREADY_CREATED);
    const auto upload = device.replenish(0, 0, now());
    CHECK(!upload.is_empty());

    auto answer = ask("hello " + ME.name + " 1");
    answer >> peer.name >> peer.device;
    std::string bundle;
    ask("bundle") >> bundle;
    device.start_session(peer, unhex(bundle), now());
    send(device, "Hello from C++", SANDI_MESSAGE_PRE_KEY);
    receive(device, "hello, C++");
    send(device, "on we go", SANDI_MESSAGE_SIGNAL);

    // a store that fails: nothing has happened, and the same works when it is back
    fails = true;
    CHECK(status_of([&] { device.encrypt(peer, "lost", now()); }) == SANDI_STATUS_STORE_FAILED);
    fails = false;
    send(device, "not lost", SANDI_MESSAGE_SIGNAL);

    device = sandi::Device::open(store, options);
    receive(device, "after a restart");
    ask("start " + hex(upload.bundle(1, 0)));
    receive(device, "from a new session");
    device.confirm_upload(upload, now());
    CHECK(Map::alive == 1);
  }
  CHECK(Map::alive == 0);
}

// ---- a group of two, here ----

void group() {
  const sandi::Address bob{"b0b00000-0000-4000-8000-000000000003", 1};
  auto alice_device = sandi::Device::create(sandi::Store::memory(), {ME});
  auto bob_device = sandi::Device::create(sandi::Store::memory(), {bob});
  const auto distribution = sandi::Distribution::of_id(std::array<std::uint8_t, 16>{1, 2, 3});

  auto sent = alice_device.send_to_group(distribution, {ME, bob}, "to all", now());
  CHECK(!sent.message());
  CHECK(sent.missing().size() == 1 && sent.missing()[0].address == bob);
  CHECK(sent.missing()[0].status == SANDI_STATUS_SESSION_NOT_FOUND);
  alice_device.start_session(bob, bob_device.replenish(0, 0, now()).bundle(1, 0), now());

  // a distribution message travels inside the program's own content: here, after a byte
  const SandiWrap wrap = [](void* context, const std::uint8_t* data, std::size_t len, SandiSink sink) -> std::int32_t {
    ++*static_cast<int*>(context);
    Raw content(1, 0x2a);
    content.insert(content.end(), data, data + len);
    return sandi_content_write(sink, content.data(), content.size());
  };
  int wrapped = 0;
  sent = alice_device.send_to_group(distribution, {ME, bob}, "to all", now(), wrap, &wrapped);
  CHECK(sent.message() && sent.distributions().size() == 1 && wrapped == 1);
  const auto carried = sent.distributions();
  auto received = bob_device.decrypt(ME, carried[0].message_type, carried[0].bytes, now());
  const auto content = received.plaintext();
  CHECK(content.data()[0] == 0x2a);
  bob_device.accept_distribution(ME, distribution, {content.data() + 1, content.size() - 1}, now());
  received.commit();
  const auto message = sent.message();
  auto to_all = bob_device.decrypt_group(ME, distribution, *message, now());
  CHECK(to_all.plaintext().view() == "to all");
  to_all.commit();
  CHECK(status_of([&] { bob_device.decrypt_group(ME, distribution, *message, now()); }) ==
        SANDI_STATUS_DUPLICATED_MESSAGE);
}

// ---- files ----

Raw run(sandi::Stream& stream, const Raw& input, SandiStreamReport* report) {
  Raw out;
  const auto take = [&](sandi::Bytes bytes) { out.insert(out.end(), bytes.data, bytes.data + bytes.size); };
  for (std::size_t at = 0; at < input.size(); at += 1000)
    take(stream.update({input.data() + at, std::min<std::size_t>(1000, input.size() - at)}));
  *report = stream.finish(take);
  return out;
}

void files() {
  Raw file(200001);
  for (std::size_t i = 0; i < file.size(); i++) file[i] = static_cast<std::uint8_t>(i * 7);
  SandiBuffer c;
  SandiStream s;
  SandiStreamReport report, unused;

  sandi::check(sandi_attachment_key(&c));
  const sandi::Buffer key(c);
  sandi::check(sandi_attachment_encrypt(key.data(), key.size(), SANDI_INCREMENTAL_NONE, 0, &s));
  sandi::Stream encrypt(s);
  Raw blob = run(encrypt, file, &report);
  CHECK(report.size == file.size());
  sandi::check(sandi_attachment_verify(key.data(), key.size(), report.blob_sha256, 32, &s));
  sandi::Stream verify(s);
  CHECK(run(verify, blob, &unused).empty());
  sandi::check(sandi_attachment_decrypt_verified(verify.get(), key.data(), key.size(), report.size, &s));
  sandi::Stream decrypt(s);
  CHECK(run(decrypt, blob, &unused) == file);
  blob[100000] ^= 1;
  sandi::check(sandi_attachment_decrypt_verified(verify.get(), key.data(), key.size(), report.size, &s));
  sandi::Stream damaged(s);
  CHECK(status_of([&] { run(damaged, blob, &unused); }) == SANDI_STATUS_REJECTED);
  CHECK(status_of([&] { damaged.update(blob); }) == SANDI_STATUS_WRONG_STATE);

  sandi::check(sandi_media_key(&c));
  const sandi::Buffer media(c);
  const SandiMediaKey media_key{{media.data(), media.size()}, {nullptr, 0}, SANDI_MEDIA_VIDEO, 0};
  sandi::check(sandi_media_encrypt(&media_key, 1, &s));
  sandi::Stream encrypt_media(s);
  blob = run(encrypt_media, file, &report);
  CHECK(encrypt_media.index().size() > 0);
  const SandiMediaHashes hashes{{report.plaintext_sha256, 32}, {report.blob_sha256, 32}, report.size, 1, 0};
  const auto& sidecar = encrypt_media.index();
  sandi::check(sandi_media_decrypt(&media_key, &hashes, sidecar.data(), sidecar.size(), &s));
  sandi::Stream decrypt_media(s);
  CHECK(run(decrypt_media, blob, &unused) == file);
  CHECK(unused.size == file.size() && unused.length_differs == 0);
}

// ---- threads: calls on one device wait for each other, and a handle may be freed under them ----

void threads() {
  auto options = sandi::default_options();
  options.one_time = options.one_time_kem = 1;
  options.refill_below = 1;
  const sandi::Address bob{"b0b00000-0000-4000-8000-000000000003", 1};
  auto alice = sandi::Device::create(sandi::Store::memory(), {ME}, options);
  auto other = sandi::Device::create(sandi::Store::memory(), {bob}, options);
  alice.start_session(bob, other.replenish(0, 0, now()).bundle(1, 0), now());

  std::vector<std::thread> workers;
  std::atomic<int> decrypted{0};
  for (int worker = 0; worker < 4; worker++) {
    workers.emplace_back([&] {
      for (int i = 0; i < 10; i++) {
        const auto sent = alice.encrypt(bob, "from a thread", now());
        auto received = other.decrypt(ME, sent.message_type, sent.bytes, now());
        if (received.plaintext().view() == "from a thread") decrypted++;
        received.commit();
      }
    });
  }
  for (auto& worker : workers) worker.join();
  CHECK(decrypted == 40);

  workers.clear();
  const SandiDevice handle = alice.get();
  std::atomic<int> odd{0};
  for (int worker = 0; worker < 3; worker++) {
    workers.emplace_back([&] {
      const SandiAddress address = bob.c();
      for (;;) {
        SandiSent sent;
        const auto status = sandi_device_encrypt(handle, &address, nullptr, 0, now(), &sent);
        sandi_buffer_free(&sent.bytes);
        if (status == SANDI_STATUS_STALE_HANDLE) return;
        if (status != SANDI_STATUS_OK) odd++;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  alice = sandi::Device();
  for (auto& worker : workers) worker.join();
  CHECK(odd == 0);
}

}  // namespace

int main() {
  conversation();
  group();
  files();
  threads();
  return 0;
}
