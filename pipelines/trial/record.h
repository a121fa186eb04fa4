// Record: what the steps of one trial did, in order.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "reactor/component/step.h"

namespace musher {

/// One run of a step that came to its end.
struct Deed {
    std::string step;  // its id
    std::string kind;
    bool sink = false;
    bool simulated = false;         // else the step itself ran
    Json options = Json::object();  // all, rendered; secrets are ***, paths begin as in the file
    Json written = Json::object();  // those of them that the file names
    Json outputs = Json::object();  // what later steps see as steps.ID, of sinks with the receipt
    bool took_body = false;         // of a sink
    std::optional<std::string> content = std::nullopt;  // the body that it took, if it is text
};

/// Loop thread only.
class Record {
  public:
    static constexpr std::size_t kMost = 10'000;
    struct Rounds {
        int times = 0;
        Json outputs;  // the last time
    };

    /// False, and nothing is kept, once there are kMost.
    bool add(Deed deed) {
        if (deeds_.size() >= kMost) return false;
        deeds_.push_back(std::move(deed));
        return true;
    }
    /// A step that runs others has come to its end.
    void ended(const std::string& step, Json outputs) {
        Rounds& rounds = controls_[step];
        ++rounds.times;
        rounds.outputs = std::move(outputs);
    }
    /// The body as the last step left it.
    void saw(const Body& body) { body_ = body; }
    /// For names of files in an attempt's folder: a step may run several times at once.
    int next_number() { return ++numbers_; }
    const std::vector<Deed>& deeds() const { return deeds_; }
    /// Of steps that run others, by id.
    const std::map<std::string, Rounds>& controls() const { return controls_; }
    const Body& body() const { return body_; }

  private:
    std::vector<Deed> deeds_;
    std::map<std::string, Rounds> controls_;
    Body body_;
    int numbers_ = 0;
};

}  // namespace musher
