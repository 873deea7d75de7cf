// sandi for C++17: what sandi.h has, as values that free themselves. Failures are thrown as sandi::Error.
//
// SPDX-License-Identifier: MIT OR Apache-2.0

#ifndef SANDI_HPP
#define SANDI_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sandi.h"

namespace sandi {

/// A call that failed.
class Error : public std::runtime_error {
 public:
  explicit Error(SandiStatus status) : std::runtime_error(text(status)), status_(status) {}

  /// Why.
  SandiStatus status() const noexcept { return status_; }
  /// What to do about it.
  SandiDisposition disposition() const noexcept { return sandi_status_disposition(status_); }

 private:
  static std::string text(SandiStatus status) {
#if defined(SANDI_STD)
    char detail[256] = "";
    sandi_last_error(detail, sizeof detail);
    return detail[0] != 0 ? detail : sandi_status_message(status);
#else
    return sandi_status_message(status);
#endif
  }

  SandiStatus status_;
};

/// Throws unless a call has succeeded.
inline void check(SandiStatus status) {
  if (status != SANDI_STATUS_OK) throw Error(status);
}

/// Bytes of somebody else, borrowed.
struct Bytes {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;

  Bytes() = default;
  Bytes(const std::uint8_t* data, std::size_t size) : data(data), size(size) {}
  Bytes(std::string_view text) : data(reinterpret_cast<const std::uint8_t*>(text.data())), size(text.size()) {}
  Bytes(const char* text) : Bytes(std::string_view(text)) {}
  Bytes(const std::string& text) : Bytes(std::string_view(text)) {}
  Bytes(const std::vector<std::uint8_t>& bytes) : data(bytes.data()), size(bytes.size()) {}
  template <std::size_t N>
  Bytes(const std::array<std::uint8_t, N>& bytes) : data(bytes.data()), size(N) {}

  SandiBytes c() const noexcept { return {data, size}; }
};

/// Bytes that the library owns: wiped when this goes.
class Buffer {
 public:
  Buffer() = default;
  /// Takes over a buffer of the C interface.
  explicit Buffer(SandiBuffer buffer) noexcept : buffer_(buffer) {}
  Buffer(Buffer&& other) noexcept : buffer_(std::exchange(other.buffer_, SandiBuffer{})) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { sandi_buffer_free(&buffer_); }

  const std::uint8_t* data() const noexcept { return buffer_.data; }
  std::size_t size() const noexcept { return buffer_.len; }
  bool exists() const noexcept { return buffer_.id != 0; }
  operator Bytes() const noexcept { return {buffer_.data, buffer_.len}; }
  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(buffer_.data), buffer_.len};
  }
  /// A copy that is not wiped.
  std::vector<std::uint8_t> copy() const { return std::vector<std::uint8_t>(data(), data() + size()); }

 private:
  SandiBuffer buffer_{};
};

/// A handle that frees its object.
template <class H, SandiStatus (*Free)(H)>
class Handle {
 public:
  Handle() = default;
  explicit Handle(H handle) noexcept : handle_(handle) {}
  Handle(Handle&& other) noexcept : handle_(std::exchange(other.handle_, H{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { Free(handle_); }

  H get() const noexcept { return handle_; }

 private:
  H handle_{};
};

/// The address of a device.
struct Address {
  std::string name;
  std::uint32_t device = 1;

  SandiAddress c() const noexcept {
    return {reinterpret_cast<const std::uint8_t*>(name.data()), name.size(), device};
  }
  bool operator==(const Address& other) const { return name == other.name && device == other.device; }
};

/// A stored record.
struct Record {
  std::uint64_t revision = 0;
  std::vector<std::uint8_t> bytes;
};

/// What becomes of a record: see SandiChange.
struct Change {
  std::string_view key;
  std::uint64_t expected_revision;
  std::uint32_t write;
  std::uint64_t new_revision;
  Bytes bytes;
};

/// A store of the program: what SandiStoreCallbacks asks for. What it throws becomes a failure.
class RecordStore {
 public:
  virtual ~RecordStore() = default;
  virtual std::optional<Record> load(std::string_view key) = 0;
  /// False: a record was not at the expected revision, and nothing was written.
  virtual bool commit(const std::vector<Change>& changes) = 0;
};

/// Where a device's records live.
class Store : public Handle<SandiStore, sandi_store_free> {
 public:
  using Handle::Handle;

  static Store memory() {
    SandiStore store;
    check(sandi_store_memory(&store));
    return Store(store);
  }

#if defined(SANDI_SQLITE)
  static Store sqlite(std::string_view path) {
    SandiStore store;
    const Bytes bytes(path);
    check(sandi_store_sqlite(bytes.data, bytes.size, &store));
    return Store(store);
  }
#endif

  static Store of(std::unique_ptr<RecordStore> records) {
    SandiStoreCallbacks callbacks{records.get(), load, commit, free_context};
    SandiStore store;
    check(sandi_store_callbacks(&callbacks, &store));
    records.release();
    return Store(store);
  }

 private:
  static constexpr std::int32_t FAILED = 2;

  static std::string_view text(const std::uint8_t* data, std::size_t len) {
    return {reinterpret_cast<const char*>(data), len};
  }

  static std::int32_t load(void* context, const std::uint8_t* key, std::size_t len, SandiSink sink) noexcept try {
    const auto record = static_cast<RecordStore*>(context)->load(text(key, len));
    if (record) check(sandi_record_found(sink, record->revision, record->bytes.data(), record->bytes.size()));
    return SANDI_STORE_OK;
  } catch (...) {
    return FAILED;
  }

  static std::int32_t commit(void* context, const SandiChange* changes, std::size_t count) noexcept try {
    std::vector<Change> all;
    all.reserve(count);
    for (std::size_t i = 0; i < count; i++) {
      const SandiChange& c = changes[i];
      all.push_back({text(c.key, c.key_len), c.expected_revision, c.write, c.new_revision, {c.data, c.len}});
    }
    return static_cast<RecordStore*>(context)->commit(all) ? SANDI_STORE_OK : SANDI_STORE_CONFLICT;
  } catch (...) {
    return FAILED;
  }

  static void free_context(void* context) noexcept { delete static_cast<RecordStore*>(context); }
};

/// A message to one device.
struct Sent {
  SandiStatus status = SANDI_STATUS_OK;
  std::uint32_t message_type = 0;
  std::uint32_t registration_id = 0;
  Buffer bytes;
  Address address;

  Sent() = default;
  explicit Sent(const SandiSent& sent)
      : status(sent.status), message_type(sent.message_type), registration_id(sent.registration_id), bytes(sent.bytes) {
    const Buffer name(sent.name);
    address = {std::string(name.view()), sent.device};
  }
};

/// A message that decrypted. Not committed, it can be delivered again.
class Received : public Handle<SandiReceived, sandi_received_free> {
 public:
  using Handle::Handle;

  Buffer plaintext() const {
    SandiBuffer out;
    check(sandi_received_plaintext(get(), &out));
    return Buffer(out);
  }

  Address sender() const {
    SandiBuffer out;
    Address address;
    check(sandi_received_sender(get(), &out, &address.device));
    address.name = Buffer(out).view();
    return address;
  }

  Buffer identity_key() const {
    SandiBuffer out;
    check(sandi_received_identity_key(get(), &out));
    return Buffer(out);
  }

  bool is_new_session() const {
    std::uint32_t out;
    check(sandi_received_is_new_session(get(), &out));
    return out == 1;
  }

  void commit() { check(sandi_received_commit(get())); }
};

/// What to upload to the server.
class Upload : public Handle<SandiUpload, sandi_upload_free> {
 public:
  using Handle::Handle;

  bool is_empty() const {
    std::uint32_t out;
    check(sandi_upload_is_empty(get(), &out));
    return out == 1;
  }

  Buffer bundle(std::uint32_t device_id, std::size_t index) const {
    SandiBuffer out;
    check(sandi_upload_bundle(get(), device_id, index, &out));
    return Buffer(out);
  }
};

/// What names a sender key for a group.
struct Distribution {
  std::uint32_t kind;
  std::string id;

  static Distribution of_id(Bytes id) {
    return {SANDI_DISTRIBUTION_ID, std::string(reinterpret_cast<const char*>(id.data), id.size)};
  }
  static Distribution of_group(std::string id) { return {SANDI_DISTRIBUTION_GROUP, std::move(id)}; }

  SandiDistribution c() const noexcept {
    return {kind, reinterpret_cast<const std::uint8_t*>(id.data()), id.size()};
  }
};

/// What became of a message to a group.
class GroupSent : public Handle<SandiGroupSent, sandi_group_sent_free> {
 public:
  using Handle::Handle;

  /// The message to all members; nothing if something is missing first.
  std::optional<Buffer> message() const {
    SandiBuffer out;
    const SandiStatus status = sandi_group_sent_message(get(), &out, nullptr);
    if (status == SANDI_STATUS_NOT_FOUND) return std::nullopt;
    check(status);
    return Buffer(out);
  }
  std::vector<Sent> distributions() const { return list(sandi_group_sent_distribution); }
  std::vector<Sent> missing() const { return list(sandi_group_sent_missing); }

 private:
  std::vector<Sent> list(SandiStatus (*at)(SandiGroupSent, std::size_t, SandiSent*)) const {
    std::vector<Sent> out;
    for (std::size_t i = 0;; i++) {
      SandiSent sent;
      const SandiStatus status = at(get(), i, &sent);
      if (status == SANDI_STATUS_NOT_FOUND) return out;
      check(status);
      out.emplace_back(sent);
    }
  }
};

/// A change of a peer's identity key.
struct Event {
  std::uint32_t kind;
  Address address;
  bool was_verified;
  std::array<std::uint8_t, 33> old_key;
  std::array<std::uint8_t, 33> new_key;
  std::uint32_t old_hosting;
  std::uint32_t new_hosting;
};

/// A new device: a new identity unless one is given.
struct NewDevice {
  Address address;
  Bytes identity{};
  std::uint32_t registration_id = 0;
  std::uint32_t scope = SANDI_SCOPE_ACCOUNT;
};

/// The default options.
inline SandiOptions default_options() {
  SandiOptions options;
  check(sandi_options_default(&options));
  return options;
}

/// A device. May be used from any thread.
class Device : public Handle<SandiDevice, sandi_device_free> {
 public:
  using Handle::Handle;

  static Device create(const Store& store, const NewDevice& device, const SandiOptions& options = default_options()) {
    const SandiNewDevice c{device.address.c(), device.identity.data, device.identity.size, device.registration_id,
                           device.scope};
    SandiDevice out;
    check(sandi_device_create(store.get(), &c, &options, &out));
    return Device(out);
  }

  static Device open(const Store& store, const SandiOptions& options = default_options()) {
    SandiDevice out;
    check(sandi_device_open(store.get(), &options, &out));
    return Device(out);
  }

  Buffer identity_key() const {
    SandiBuffer out;
    check(sandi_device_identity_key(get(), &out));
    return Buffer(out);
  }

  Upload replenish(std::uint32_t one_time, std::uint32_t one_time_kem, std::uint64_t now) {
    SandiUpload out;
    check(sandi_device_replenish(get(), one_time, one_time_kem, now, &out));
    return Upload(out);
  }

  void confirm_upload(const Upload& upload, std::uint64_t now) {
    check(sandi_device_confirm_upload(get(), upload.get(), now));
  }

  void start_session(const Address& peer, Bytes bundle, std::uint64_t now) {
    const SandiAddress c = peer.c();
    check(sandi_device_start_session(get(), &c, bundle.data, bundle.size, now));
  }

  Sent encrypt(const Address& peer, Bytes plaintext, std::uint64_t now) {
    const SandiAddress c = peer.c();
    SandiSent out;
    check(sandi_device_encrypt(get(), &c, plaintext.data, plaintext.size, now, &out));
    return Sent(out);
  }

  std::vector<Sent> encrypt_many(const std::vector<std::pair<Address, Bytes>>& recipients, std::uint64_t now) {
    std::vector<SandiRecipient> c;
    for (const auto& [address, plaintext] : recipients) c.push_back({address.c(), plaintext.data, plaintext.size});
    std::vector<SandiSent> sent(recipients.size());
    check(sandi_device_encrypt_many(get(), c.data(), c.size(), now, sent.data()));
    std::vector<Sent> out;
    for (std::size_t i = 0; i < sent.size(); i++) {
      out.emplace_back(sent[i]);
      out.back().address = recipients[i].first;
    }
    return out;
  }

  Received decrypt(const Address& from, std::uint32_t message_type, Bytes bytes, std::uint64_t now) {
    const SandiAddress c = from.c();
    SandiReceived out;
    check(sandi_device_decrypt(get(), &c, message_type, bytes.data, bytes.size, now, &out));
    return Received(out);
  }

  GroupSent send_to_group(const Distribution& distribution, const std::vector<Address>& members, Bytes content,
                          std::uint64_t now, SandiWrap wrap = nullptr, void* wrap_context = nullptr) {
    const SandiDistribution d = distribution.c();
    std::vector<SandiAddress> c;
    for (const auto& member : members) c.push_back(member.c());
    SandiGroupSent out;
    check(sandi_device_send_to_group(get(), &d, c.data(), c.size(), content.data, content.size, wrap, wrap_context,
                                     now, &out));
    return GroupSent(out);
  }

  void accept_distribution(const Address& from, const Distribution& distribution, Bytes bytes, std::uint64_t now) {
    const SandiAddress c = from.c();
    const SandiDistribution d = distribution.c();
    check(sandi_device_accept_distribution(get(), &c, &d, bytes.data, bytes.size, now));
  }

  Received decrypt_group(const Address& from, const Distribution& distribution, Bytes bytes, std::uint64_t now) {
    const SandiAddress c = from.c();
    const SandiDistribution d = distribution.c();
    SandiReceived out;
    check(sandi_device_decrypt_group(get(), &c, &d, bytes.data, bytes.size, now, &out));
    return Received(out);
  }

  std::optional<Event> next_event() {
    SandiEvent out;
    const SandiStatus status = sandi_device_next_event(get(), &out, nullptr);
    if (status == SANDI_STATUS_NOT_FOUND) return std::nullopt;
    check(status);
    Event event{out.kind, {std::string(Buffer(out.name).view()), out.device}, out.was_verified == 1, {}, {},
                out.old_hosting, out.new_hosting};
    std::memcpy(event.old_key.data(), out.old_key, event.old_key.size());
    std::memcpy(event.new_key.data(), out.new_key, event.new_key.size());
    return event;
  }

  void accept_identity(const Address& peer, Bytes key, std::uint64_t now) {
    const SandiAddress c = peer.c();
    check(sandi_device_accept_identity(get(), &c, key.data, key.size, now));
  }
};

/// A file as a stream.
class Stream : public Handle<SandiStream, sandi_stream_free> {
 public:
  using Handle::Handle;

  Buffer update(Bytes bytes) {
    SandiBuffer out;
    check(sandi_stream_update(get(), bytes.data, bytes.size, &out));
    return Buffer(out);
  }

  /// All that is still to come, piece by piece, to `take(Bytes)`; then the end.
  template <class Take>
  SandiStreamReport finish(Take take) {
    std::uint32_t more = 1;
    SandiBuffer out;
    while (more == 1) {
      check(sandi_stream_drain(get(), &out, &more));
      take(static_cast<Bytes>(Buffer(out)));
    }
    SandiStreamReport report;
    check(sandi_stream_finish(get(), &out, &report));
    take(static_cast<Bytes>(Buffer(out)));
    index_ = Buffer(std::exchange(report.index, SandiBuffer{}));
    return report;
  }

  /// After the end: the side-car, or the incremental MAC.
  const Buffer& index() const noexcept { return index_; }

 private:
  Buffer index_;
};

}  // namespace sandi

#endif
